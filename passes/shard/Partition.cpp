//===- Partition.cpp - From whole tensors to one device's part ------------===//
//
// One walk from the inputs and weights, which are annotated, to the results.
// Each value gets a state for each axis of the grid (AxisState); where an op
// needs another state than its operand has, a collective is put in.
//
//===----------------------------------------------------------------------===//
#include "dialects/llm/LlmDialect.h"
#include "passes/shard/AxisState.h"
#include "passes/shard/GridSizes.h"
#include "passes/shard/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringMap.h"

#include <array>

namespace llamac {
#define GEN_PASS_DEF_PARTITION
#include "passes/shard/Passes.h.inc"
} // namespace llamac

using namespace mlir;
using namespace llamac;

namespace {

using States = std::array<AxisState, kAxes>;

constexpr StringLiteral kAxisNames[kAxes] = {"dp", "tp"};

RankedTensorType withDim(Type type, unsigned dim, int64_t size) {
  auto tensor = cast<RankedTensorType>(type);
  SmallVector<int64_t> shape(tensor.getShape());
  shape[dim] = size;
  return RankedTensorType::get(shape, tensor.getElementType());
}

class ProgramPartition {
public:
  ProgramPartition(func::FuncOp function, shard::GridOp grid)
      : function(function), grid(grid), b(function.getContext()),
        kind(
            function
                ->getAttrOfType<llm::ProgramAttr>(llm::LlmDialect::kProgramAttr)
                .getKind()) {}

  LogicalResult run() {
    Block &body = function.getBody().front();
    for (auto parameter : function.getOps<llm::ParameterOp>())
      parameters[parameter.getName()] = parameter.getResult();
    for (Operation &op : llvm::make_early_inc_range(body.without_terminator()))
      if (failed(visit(&op)))
        return failure();
    for (auto sharding :
         llvm::make_early_inc_range(function.getOps<shard::ShardingOp>()))
      if (sharding->use_empty())
        sharding.erase();
    return deliver(body.getTerminator());
  }

private:
  func::FuncOp function;
  shard::GridOp grid;
  OpBuilder b;
  llm::ProgramKind kind;
  llvm::DenseMap<Value, States> states;
  llvm::StringMap<Value> parameters;
  /// A value after its sum or gather over the axes of a mask.
  llvm::DenseMap<std::pair<Value, unsigned>, Value> converted;
  /// Local labels and statistics of whole rows, by logits.
  llvm::DenseMap<Value, std::pair<Value, Value>> softmaxes;
  Value place;

  int64_t devices(unsigned axis) { return grid.getShape()[axis]; }
  static bool isBatch(unsigned axis) { return axis == kDataAxis; }

  /// The input grid_index: this device's index along each axis.
  Value placeInput() {
    if (!place) {
      unsigned index = function.getNumArguments();
      (void)function.insertArgument(
          index, RankedTensorType::get({kAxes}, b.getI32Type()),
          b.getDictionaryAttr(b.getNamedAttr(llm::LlmDialect::kInputAttr,
                                             b.getStringAttr("grid_index"))),
          function.getLoc());
      place = function.getArgument(index);
    }
    return place;
  }

  //===--------------------------------------------------------------------===//
  // Collectives
  //===--------------------------------------------------------------------===//

  /// `value` as `wanted`, before `user`; null, with an error at it, if no
  /// collective makes that of it.
  Value convert(Value value, const States &wanted, Operation *user) {
    const States &now = states[value];
    SmallVector<shard::GridAxis> sums;
    unsigned mask = 0;
    for (unsigned axis = 0; axis < kAxes; ++axis) {
      if (now[axis] == wanted[axis])
        continue;
      bool sum = now[axis].isPartial() && wanted[axis].isReplicated();
      bool gather =
          now[axis].isSplit() && wanted[axis].isReplicated() && !isBatch(axis);
      if (!sum && !gather) {
        user->emitOpError("needs ")
            << value.getType() << " to be " << wanted[axis].text()
            << " over the " << devices(axis) << " devices of axis "
            << kAxisNames[axis] << ", but it is " << now[axis].text();
        return {};
      }
      if (sum)
        sums.push_back(static_cast<shard::GridAxis>(axis));
      mask |= 1u << axis;
    }
    if (!mask)
      return value;
    Value &result = converted[{value, mask}];
    if (result)
      return result;
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(user);
    States after = now;
    Value v = value;
    if (!sums.empty())
      v = shard::AllReduceOp::create(b, value.getLoc(), v, grid.getSymName(),
                                     sums, shard::ReductionKind::Sum);
    for (shard::GridAxis axis : sums)
      after[axis] = AxisState();
    if (after[kTensorAxis].isSplit() && wanted[kTensorAxis].isReplicated()) {
      unsigned dim = after[kTensorAxis].dim;
      auto type = cast<RankedTensorType>(v.getType());
      v = gather(v, dim, type.getDimSize(dim) * devices(kTensorAxis));
      after[kTensorAxis] = AxisState();
    }
    states[v] = after;
    return result = v;
  }

  Value gather(Value value, unsigned dim, int64_t size) {
    return shard::AllGatherOp::create(
        b, value.getLoc(), withDim(value.getType(), dim, size),
        FlatSymbolRefAttr::get(grid.getSymNameAttr()),
        b.getDenseI16ArrayAttr({static_cast<int16_t>(kTensorAxis)}), value,
        b.getIndexAttr(dim));
  }

  //===--------------------------------------------------------------------===//
  // Ops
  //===--------------------------------------------------------------------===//

  LogicalResult visit(Operation *op) {
    if (isa<shard::ShardingOp>(op))
      return success();
    if (auto annotation = dyn_cast<shard::ShardOp>(op))
      return take(annotation);
    if (isa_and_nonnull<shard::ShardDialect>(op->getDialect()))
      return op->emitOpError("is a collective before the partition");
    b.setInsertionPoint(op);
    if (auto store = dyn_cast<llm::GradientStoreOp>(op))
      return storeGradient(store);
    if (auto add = dyn_cast<llm::AddOp>(op)) {
      likePending(add);
      useSums(add);
    }
    if (auto embedding = dyn_cast<llm::EmbeddingOp>(op))
      if (isSplit(embedding.getTable(), 0))
        return partition(embedding);
    if (auto loss = dyn_cast<llm::CrossEntropyOp>(op))
      if (isSplit(loss.getLogits(), 1))
        return partition(loss);
    if (auto gradient = dyn_cast<llm::CrossEntropyGradOp>(op))
      if (isSplit(gradient.getLogits(), 1))
        return partition(gradient);
    return run(op);
  }

  bool isSplit(Value value, unsigned dim) {
    return states[value][kTensorAxis] == AxisState::split(dim);
  }

  /// Brings the operands where the op needs them and makes it the op of one
  /// part: local types, heads.
  LogicalResult run(Operation *op) {
    SmallVector<States> wanted(op->getNumOperands()),
        results(op->getNumResults());
    for (unsigned axis = 0; axis < kAxes; ++axis) {
      if (devices(axis) == 1)
        continue;
      SmallVector<AxisState> operands;
      for (Value operand : op->getOperands())
        operands.push_back(states[operand][axis]);
      auto follows = statesOf(op, operands, isBatch(axis));
      if (failed(follows))
        return failure();
      for (auto [i, state] : llvm::enumerate(follows->operands))
        wanted[i][axis] = state;
      for (auto [i, state] : llvm::enumerate(follows->results))
        results[i][axis] = state;
    }
    for (OpOperand &operand : op->getOpOperands()) {
      Value value =
          convert(operand.get(), wanted[operand.getOperandNumber()], op);
      if (!value)
        return failure();
      operand.set(value);
    }
    for (auto [result, state] : llvm::zip(op->getResults(), results)) {
      states[result] = state;
      if (failed(localize(op, result, state[kTensorAxis])))
        return failure();
    }
    if (auto dropout = dyn_cast<llm::DropoutOp>(op))
      if (isSplit(dropout.getX(), 1)) {
        dropout.getPlaceMutable().assign(placeInput());
        dropout.setAxis(kTensorAxis);
        dropout.setParts(devices(kTensorAxis));
      }
    if (isa<llm::AttentionOp, llm::AttentionGradOp>(op) &&
        isSplit(op->getOperand(0), 1))
      for (StringRef name : {"heads", "kv_heads"}) {
        int64_t heads = op->getAttrOfType<IntegerAttr>(name).getInt();
        if (heads % devices(kTensorAxis) != 0)
          return op->emitOpError("has ")
                 << heads << " " << name << ", which do not fall into "
                 << devices(kTensorAxis) << " equal parts";
        op->setAttr(name, b.getI64IntegerAttr(heads / devices(kTensorAxis)));
      }
    return success();
  }

  LogicalResult localize(Operation *op, Value value, AxisState state) {
    if (!state.isSplit() || isMade(op))
      return success();
    int64_t size =
        cast<RankedTensorType>(value.getType()).getDimSize(state.dim);
    if (size % devices(kTensorAxis) != 0)
      return op->emitOpError("computes ")
             << value.getType() << ", whose dimension " << state.dim
             << " does not fall into " << devices(kTensorAxis)
             << " equal parts";
    value.setType(
        withDim(value.getType(), state.dim, size / devices(kTensorAxis)));
    return success();
  }

  /// Ops that this pass made are local from the start.
  static bool isMade(Operation *op) {
    return isa<llm::SoftmaxStatsOp, llm::CrossEntropyPartsGradOp>(op);
  }

  /// An annotation of a weight, parameter or input.
  LogicalResult take(shard::ShardOp annotation) {
    Value value = annotation.getSrc();
    Operation *def = value.getDefiningOp();
    if (def && !isa<llm::WeightOp, llm::ParameterOp>(def))
      return annotation.emitOpError(
          "is neither on a weight, a parameter nor an input: how everything "
          "else lies follows from those");
    auto sharding = annotation.getSharding().getDefiningOp<shard::ShardingOp>();
    if (!sharding)
      return annotation.emitOpError("has no shard.sharding");
    SmallVector<Attribute> axesOf;
    States &state = states[value];
    auto type = cast<RankedTensorType>(value.getType());
    for (auto [dim, axes] : llvm::enumerate(sharding.getSplitAxes())) {
      SmallVector<int64_t> split;
      for (shard::GridAxis axis : axes.asArrayRef()) {
        if (axis < 0 || axis >= static_cast<int64_t>(kAxes) ||
            dim >= static_cast<size_t>(type.getRank()) ||
            (axis == kDataAxis) != !def)
          return annotation.emitOpError(
              "must split inputs along dp, weights and parameters along tp");
        if (devices(axis) == 1)
          continue;
        state[axis] = AxisState::split(dim);
        split.push_back(axis);
      }
      axesOf.push_back(b.getDenseI64ArrayAttr(split));
    }
    if (def && state[kTensorAxis].isSplit()) {
      axesOf.resize(type.getRank(), b.getDenseI64ArrayAttr({}));
      def->setAttr(llm::LlmDialect::kWholeShapeAttr,
                   b.getDenseI64ArrayAttr(type.getShape()));
      def->setAttr(llm::LlmDialect::kSplitAxesAttr, b.getArrayAttr(axesOf));
      if (failed(localize(def, value, state[kTensorAxis])))
        return failure();
    }
    annotation.replaceAllUsesWith(value);
    annotation.erase();
    return success();
  }

  //===--------------------------------------------------------------------===//
  // Ops that count in whole tensors
  //===--------------------------------------------------------------------===//

  template <typename Op, typename... Args>
  Op make(Location loc, Args &&...args) {
    return Op::create(b, loc, std::forward<Args>(args)...);
  }
  LogicalResult replace(Operation *op, Operation *by) {
    op->replaceAllUsesWith(by);
    op->erase();
    return success();
  }

  /// Rows of the table that another device has count 0.
  LogicalResult partition(llm::EmbeddingOp op) {
    int64_t rows =
        cast<RankedTensorType>(op.getTable().getType()).getDimSize(0);
    auto ids = make<llm::LocalIdsOp>(op.getLoc(), op.getIds(), placeInput(),
                                     kTensorAxis, rows);
    auto rowsOf = make<llm::ScatterRowsOp>(op.getLoc(), op.getType(),
                                           op.getTable(), ids.getResult());
    if (failed(run(ids)) || failed(run(rowsOf)))
      return failure();
    return replace(op, rowsOf);
  }

  /// Statistics of each row of the logits over all devices, made once.
  LogicalResult softmax(Value logits, Value labels, Location loc) {
    auto &[local, stats] = softmaxes[logits];
    if (local)
      return success();
    auto type = cast<RankedTensorType>(logits.getType());
    auto ids = make<llm::LocalIdsOp>(loc, labels, placeInput(), kTensorAxis,
                                     type.getDimSize(1));
    auto part = make<llm::SoftmaxStatsOp>(loc, logits, ids.getResult());
    if (failed(run(ids)) || failed(run(part)))
      return failure();
    int64_t rows = type.getDimSize(0);
    Value all = gather(part.getResult(), 0, rows * devices(kTensorAxis));
    states[all] = states[part.getResult()];
    states[all][kTensorAxis] = AxisState();
    auto joined = make<llm::JoinSoftmaxStatsOp>(
        loc, RankedTensorType::get({rows, 2}, b.getF32Type()), all);
    if (failed(run(joined)))
      return failure();
    local = ids.getResult();
    stats = joined.getResult();
    return success();
  }

  LogicalResult partition(llm::CrossEntropyOp op) {
    if (failed(softmax(op.getLogits(), op.getLabels(), op.getLoc())))
      return failure();
    auto loss = make<llm::CrossEntropyPartsOp>(op.getLoc(),
                                               softmaxes[op.getLogits()].second,
                                               op.getLabels(), op.getScale());
    return failed(run(loss)) ? failure() : replace(op, loss);
  }

  LogicalResult partition(llm::CrossEntropyGradOp op) {
    if (failed(softmax(op.getLogits(), op.getLabels(), op.getLoc())))
      return failure();
    auto [local, stats] = softmaxes[op.getLogits()];
    auto gradient = make<llm::CrossEntropyPartsGradOp>(
        op.getLoc(), op.getLogits().getType(), op.getLogits(), stats,
        op.getLabels(), local, op.getScale(), op.getDloss());
    return failed(run(gradient)) ? failure() : replace(op, gradient);
  }

  //===--------------------------------------------------------------------===//
  // Gradients and results
  //===--------------------------------------------------------------------===//

  /// Earlier micro-batches left the same terms that this one computes.
  void likePending(llm::AddOp add) {
    for (auto [value, other] : {std::pair(add.getLhs(), add.getRhs()),
                                std::pair(add.getRhs(), add.getLhs())})
      if (value.getDefiningOp<llm::PendingGradientOp>()) {
        states[value] = states[other];
        value.setType(cast<RankedTensorType>(other.getType()));
      }
  }

  /// Where a sum is there already (the residual: the norm before needed it),
  /// adding to it costs no collective more than adding to its terms, and the
  /// add can be fused with the next norm.
  void useSums(llm::AddOp add) {
    for (OpOperand &operand : add->getOpOperands())
      for (unsigned mask = 1; mask < (1u << kAxes); ++mask)
        if (Value sum = converted.lookup({operand.get(), mask})) {
          operand.set(sum);
          break;
        }
  }

  LogicalResult storeGradient(llm::GradientStoreOp store) {
    auto parameter = parameters.find(store.getName());
    if (parameter == parameters.end())
      return store.emitOpError("is the gradient of nothing trainable");
    States wanted = states[parameter->second];
    // Terms of several micro-batches are summed before those of devices are.
    if (kind != llm::ProgramKind::Train)
      for (unsigned axis = 0; axis < kAxes; ++axis)
        if (states[store.getValue()][axis].isPartial())
          wanted[axis] = AxisState::partial();
    Value value = convert(store.getValue(), wanted, store);
    if (!value)
      return failure();
    store.getValueMutable().assign(value);
    return success();
  }

  /// Results are whole on every device of the tp axis. Those of a step are sums
  /// over dp; of an evaluation each part of the batch has its own.
  LogicalResult deliver(Operation *terminator) {
    for (OpOperand &operand : terminator->getOpOperands()) {
      States wanted = states[operand.get()];
      wanted[kTensorAxis] = AxisState();
      if (kind == llm::ProgramKind::Train && wanted[kDataAxis].isPartial())
        wanted[kDataAxis] = AxisState();
      Value value = convert(operand.get(), wanted, terminator);
      if (!value)
        return failure();
      operand.set(value);
    }
    return success();
  }
};

struct Partition : llamac::impl::PartitionBase<Partition> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    shard::GridOp grid = theGrid(module);
    if (!grid)
      return signalPassFailure();
    if (llvm::all_of(grid.getShape(), [](int64_t n) { return n == 1; }))
      return;
    for (auto f : module.getOps<func::FuncOp>())
      if (f->hasAttr(llm::LlmDialect::kProgramAttr) &&
          failed(ProgramPartition(f, grid).run()))
        return signalPassFailure();
  }
};

} // namespace
