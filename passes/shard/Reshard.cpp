//===- Reshard.cpp - The identity program from one layout to another ------===//
#include "dialects/llm/LlmDialect.h"
#include "dialects/plan/PlanDialect.h"
#include "passes/lower/OptimizerState.h"
#include "passes/shard/Layouts.h"
#include "passes/shard/Passes.h"
#include "passes/shard/TensorBox.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/MathExtras.h"

namespace llamac {
#define GEN_PASS_DEF_RESHARD
#include "passes/shard/Passes.h.inc"
} // namespace llamac

using namespace mlir;
using llamac::TensorBox;

namespace {

constexpr int64_t kAlignment = 64; // bytes, of each part
constexpr int64_t kMaxDevices = 65536;

/// A tensor that a training run owns. The first is a parameter's, whose moments
/// are laid out alike.
struct Item {
  StringRef name;
  RankedTensorType type;
  Location loc;
};

struct Kind {
  plan::Role role;
  StringLiteral allocation;
  plan::Category category;
};
constexpr Kind kOfParameters[] = {
    {plan::Role::Parameter, "parameters", plan::Category::Parameters},
    {plan::Role::FirstMoment, "first_moments", plan::Category::OptimizerState},
    {plan::Role::SecondMoment, "second_moments",
     plan::Category::OptimizerState}};
constexpr Kind kOfTriplets[] = {
    {plan::Role::Sensitivity, "sensitivity", plan::Category::OptimizerState},
    {plan::Role::Uncertainty, "uncertainty", plan::Category::OptimizerState}};
constexpr Kind kState = {plan::Role::State, "optimizer_state",
                         plan::Category::OptimizerState};

/// One layout: its grid, and where the parts of every tensor lie.
struct Layout {
  plan::Side side;
  int64_t dp, tp;
  struct Part {
    TensorBox box;
    int64_t offset; // bytes, in the allocation of its kind
  };

  /// The dimension that is really cut.
  std::optional<unsigned> cut(const Item &item) const {
    return tp > 1 ? llamac::splitDimension(item.name) : std::nullopt;
  }

  /// Places the parts of `item` from byte `end` on, which moves behind them.
  SmallVector<Part> place(const Item &item, int64_t &end) const {
    SmallVector<Part> parts;
    std::optional<unsigned> dimension = cut(item);
    RankedTensorType local = item.type;
    if (dimension)
      local = llamac::localType(item.name, item.type, tp);
    int64_t bytes =
        local.getNumElements() * plan::elementBytes(local.getElementType());
    for (int64_t i = 0; i < (dimension ? tp : 1); ++i) {
      TensorBox box;
      box.first.resize(local.getRank());
      box.shape.assign(local.getShape().begin(), local.getShape().end());
      if (dimension)
        box.first[*dimension] = i * local.getDimSize(*dimension);
      parts.push_back({box, end});
      end = llvm::alignTo(end + bytes, kAlignment);
    }
    return parts;
  }

  std::string allocation(const Kind &kind) const {
    return (plan::stringifySide(side) + "_" + kind.allocation).str();
  }
};

/// Writes the plan of one module.
class Writer {
public:
  Writer(ModuleOp module, Layout source, Layout target)
      : module(module), b(module.getBodyRegion()), layouts{std::move(source),
                                                           std::move(target)} {
    b.setInsertionPointToEnd(module.getBody());
  }

  void run(ArrayRef<Item> parameters, ArrayRef<Item> state) {
    setGrids();
    for (const Kind &kind : kOfParameters)
      placeAll(kind, parameters);
    std::vector<Item> triplets;
    for (const Item &item : parameters)
      if (llamac::isTripletFactor(item.name))
        triplets.push_back(item);
    if (!triplets.empty())
      for (const Kind &kind : kOfTriplets)
        placeAll(kind, triplets);
    placeAll(kState, state);
    auto program = plan::ProgramOp::create(b, module.getLoc(), "reshard",
                                           plan::ProgramKind::Reshard, 1, 1);
    b.setInsertionPointToEnd(&program.getBlock());
    for (const Placed &placed : all)
      copyAll(placed);
  }

private:
  struct Placed {
    const Kind *kind;
    Item item;
    SmallVector<Layout::Part> parts[2]; // source, target
  };

  ModuleOp module;
  OpBuilder b;
  Layout layouts[2];
  std::vector<Placed> all;

  void setGrids() {
    MLIRContext *context = b.getContext();
    auto axis = [&](StringRef name, int64_t size) -> Attribute {
      return plan::AxisAttr::get(context, name, size);
    };
    StringRef names[] = {plan::PlanDialect::kSourceGridAttr,
                         plan::PlanDialect::kTargetGridAttr};
    for (auto [name, layout] : llvm::zip(names, layouts))
      module->setAttr(
          name, b.getArrayAttr({axis("dp", layout.dp), axis("tp", layout.tp)}));
  }

  void placeAll(const Kind &kind, ArrayRef<Item> items) {
    int64_t ends[2] = {0, 0};
    size_t begin = all.size();
    for (const Item &item : items) {
      all.push_back({&kind, item, {}});
      for (int i : {0, 1})
        all.back().parts[i] = layouts[i].place(item, ends[i]);
    }
    for (int i : {0, 1}) {
      std::string name = layouts[i].allocation(kind);
      plan::AllocationOp::create(b, module.getLoc(), name, kind.category,
                                 ends[i], 256);
      for (const Placed &placed : llvm::drop_begin(all, begin))
        writeTensors(placed, layouts[i], placed.parts[i], name);
    }
  }

  void writeTensors(const Placed &placed, const Layout &layout,
                    ArrayRef<Layout::Part> parts, StringRef allocation) {
    SmallVector<Attribute> sharding(placed.item.type.getRank(),
                                    b.getDenseI64ArrayAttr({}));
    if (auto dimension = layout.cut(placed.item))
      sharding[*dimension] = b.getDenseI64ArrayAttr({llamac::kTensorAxis});
    for (auto [i, part] : llvm::enumerate(parts)) {
      auto type = RankedTensorType::get(part.box.shape,
                                        placed.item.type.getElementType());
      auto tensor = plan::TensorOp::create(
          b, placed.item.loc, placed.item.name, placed.kind->role, allocation,
          part.offset, type, plan::InitKind::Zero);
      tensor.setGlobalShape(placed.item.type.getShape());
      tensor.setShardingAttr(b.getArrayAttr(sharding));
      tensor.setSide(layout.side);
      tensor.setPart(i);
    }
  }

  void copyAll(const Placed &placed) {
    std::string names[2];
    for (int i : {0, 1})
      names[i] = layouts[i].allocation(*placed.kind);
    for (const Layout::Part &target : placed.parts[1])
      for (const Layout::Part &source : placed.parts[0])
        if (auto box = target.box.intersect(source.box)) {
          Value from = piece(placed.item, source, *box, names[0]);
          Value to = piece(placed.item, target, *box, names[1]);
          plan::CopyOp::create(b, placed.item.loc, from, to);
        }
  }

  /// `box` of a part, as a place. Columns of a matrix are a view.
  Value piece(const Item &item, const Layout::Part &part, const TensorBox &box,
              StringRef allocation) {
    Type element = item.type.getElementType();
    auto type = RankedTensorType::get(box.shape, element);
    int64_t first = part.box.linear(box.first);
    TensorBox inPart{box.first, box.shape};
    for (unsigned d = 0; d < box.first.size(); ++d)
      inPart.first[d] -= part.box.first[d];
    if (inPart.runAt(0, part.box.shape) == box.elements() ||
        box.elements() == 1)
      return plan::BufferOp::create(b, item.loc, type, allocation,
                                    part.offset +
                                        first * plan::elementBytes(element));
    Value whole = plan::BufferOp::create(
        b, item.loc, RankedTensorType::get(part.box.shape, element), allocation,
        part.offset);
    return plan::ViewOp::create(b, item.loc, type, whole, first,
                                part.box.shape.back());
  }
};

struct Reshard : llamac::impl::ReshardBase<Reshard> {
  using ReshardBase::ReshardBase;

  void runOnOperation() override {
    if (failed(run()))
      signalPassFailure();
  }

  LogicalResult run() {
    ModuleOp module = getOperation();
    Layout source{plan::Side::Source, sourceDp, sourceTp};
    Layout target{plan::Side::Target, targetDp, targetTp};
    for (const Layout *layout : {&source, &target})
      if (layout->dp < 1 || layout->tp < 1 || layout->dp > kMaxDevices ||
          layout->tp > kMaxDevices / layout->dp)
        return module.emitError("a grid has 1 to ")
               << kMaxDevices << " devices, not dp" << layout->dp << ",tp"
               << layout->tp;
    FailureOr<std::vector<Item>> parameters = collect(module, source, target);
    if (failed(parameters))
      return failure();

    Builder b(&getContext());
    std::vector<Item> state;
    for (const llamac::OptimizerState &s : llamac::kOptimizerState)
      state.push_back(
          {s.name,
           RankedTensorType::get({1}, s.isInteger ? Type(b.getI64Type())
                                                  : b.getF64Type()),
           module.getLoc()});
    auto adapter =
        module->getAttrOfType<llm::AdapterAttr>(llm::LlmDialect::kAdapterAttr);
    if (adapter && adapter.getAdalora())
      state.push_back({llamac::kKeptTriplets,
                       RankedTensorType::get(
                           {static_cast<int64_t>(adapter.getModules().size()),
                            adapter.getRank()},
                           b.getF32Type()),
                       module.getLoc()});
    // Names are of attributes, which outlive their ops.
    for (Operation &op : llvm::make_early_inc_range(*module.getBody()))
      op.erase();
    Writer(module, source, target).run(*parameters, state);
    module->setAttr(llm::LlmDialect::kLevelAttr, b.getStringAttr("plan"));
    return success();
  }

  /// What is trained, in the order of first appearance.
  FailureOr<std::vector<Item>> collect(ModuleOp module, const Layout &source,
                                       const Layout &target) {
    llvm::MapVector<StringRef, Item> items;
    auto model =
        module->getAttrOfType<llm::ModelAttr>(llm::LlmDialect::kModelAttr);
    WalkResult walk = module.walk([&](llm::ParameterOp op) {
      auto type = cast<RankedTensorType>(op.getType());
      auto [it, isNew] =
          items.insert({op.getName(), Item{op.getName(), type, op.getLoc()}});
      if (!isNew) {
        if (it->second.type == type)
          return WalkResult::advance();
        op.emitError() << "'" << op.getName() << "' is " << type << " here and "
                       << it->second.type << " elsewhere";
        return WalkResult::interrupt();
      }
      for (const Layout *layout : {&source, &target})
        if (failed(llamac::checkSplit(op.getLoc(), op.getName(), type, model,
                                      layout->tp)))
          return WalkResult::interrupt();
      return WalkResult::advance();
    });
    if (walk.wasInterrupted())
      return failure();
    if (items.empty())
      return module.emitError("trains nothing: there is no layout to change");
    std::vector<Item> result;
    for (auto &[name, item] : items)
      result.push_back(item);
    return result;
  }
};

} // namespace
