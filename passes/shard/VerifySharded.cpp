//===- VerifySharded.cpp - The guarantees of level sharded ----------------===//
#include "dialects/llm/LlmDialect.h"
#include "passes/shard/AxisState.h"
#include "passes/shard/GridSizes.h"
#include "passes/shard/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringMap.h"

namespace llamac {
#define GEN_PASS_DEF_VERIFYSHARDED
#include "passes/shard/Passes.h.inc"
} // namespace llamac

using namespace mlir;
using namespace llamac;

namespace {

constexpr StringLiteral kAxisNames[kAxes] = {"dp", "tp"};

/// Goes through one program with one axis in mind.
class AxisCheck {
public:
  AxisCheck(func::FuncOp function, unsigned axis)
      : function(function), axis(axis) {
    if (auto program = function->getAttrOfType<llm::ProgramAttr>(
            llm::LlmDialect::kProgramAttr)) {
      isStep = program.getKind() == llm::ProgramKind::Train;
      isWhole = isStep || program.getKind() == llm::ProgramKind::Gradient;
    }
  }

  LogicalResult run() {
    inputs();
    for (Operation &op : function.getBody().front())
      if (failed(visit(&op)))
        return failure();
    for (auto &[name, store] : unreduced)
      return store.emitOpError("stores a term of a sum over axis ")
             << kAxisNames[axis] << " that no llm.reduce_gradients sums";
    return success();
  }

private:
  func::FuncOp function;
  unsigned axis;
  bool isStep = false;  // an optimizer step: results are of the whole batch
  bool isWhole = false; // gradients must be whole
  llvm::DenseMap<Value, AxisState> states;
  llvm::MapVector<StringRef, llm::GradientStoreOp> unreduced;

  /// The part of the batch is what differs from device to device along dp.
  void inputs() {
    if (axis != kDataAxis)
      return;
    for (unsigned i = 0; i < function.getNumArguments(); ++i) {
      auto name =
          function.getArgAttrOfType<StringAttr>(i, llm::LlmDialect::kInputAttr);
      if (name && !isPerStep(name.getValue()))
        states[function.getArgument(i)] = AxisState::split(0);
    }
  }

  template <typename Axes> bool isOver(Axes axes) const {
    return llvm::any_of(axes, [&](auto a) { return a == int64_t(axis); });
  }
  InFlightDiagnostic complain(Operation *op, AxisState state) {
    return op->emitOpError("over axis ")
           << kAxisNames[axis] << " gets " << state.text();
  }

  LogicalResult visit(Operation *op) {
    if (isa<llm::WeightOp, llm::ParameterOp>(op)) {
      if (auto axes =
              op->getAttrOfType<ArrayAttr>(llm::LlmDialect::kSplitAxesAttr))
        for (auto [dim, split] : llvm::enumerate(axes))
          if (isOver(cast<DenseI64ArrayAttr>(split).asArrayRef()))
            states[op->getResult(0)] = AxisState::split(dim);
      return success();
    }
    if (auto sum = dyn_cast<shard::AllReduceOp>(op)) {
      AxisState state = states[sum.getInput()];
      if (isOver(sum.getGridAxes())) {
        if (!state.isPartial())
          return complain(op, state)
                 << ", which is no term: the sum would count it "
                    "several times";
        state = AxisState();
      }
      states[sum.getResult()] = state;
      return success();
    }
    if (auto gather = dyn_cast<shard::AllGatherOp>(op)) {
      AxisState state = states[gather.getInput()];
      if (isOver(gather.getGridAxes())) {
        auto dim = static_cast<unsigned>(gather.getGatherAxis().getSExtValue());
        if (state != AxisState::split(dim))
          return complain(op, state) << ", not parts of dimension " << dim;
        state = AxisState();
      }
      states[gather.getResult()] = state;
      return success();
    }
    if (auto sum = dyn_cast<shard::ReduceScatterOp>(op)) {
      AxisState state = states[sum.getInput()];
      if (isOver(sum.getGridAxes())) {
        if (!state.isPartial())
          return complain(op, state)
                 << ", which is no term: the sum would count it "
                    "several times";
        state = AxisState::split(
            static_cast<unsigned>(sum.getScatterAxis().getSExtValue()));
      }
      states[sum.getResult()] = state;
      return success();
    }
    if (auto store = dyn_cast<llm::GradientStoreOp>(op))
      return storeGradient(store);
    if (auto reduce = dyn_cast<llm::ReduceGradientsOp>(op))
      return reduceGradients(reduce);
    if (isa<llm::TripletGradientsOp, llm::OptimizerStepOp>(op))
      for (auto &[name, store] : unreduced)
        return op->emitOpError("uses the gradient of '")
               << name << "', which is a term of a sum over axis "
               << kAxisNames[axis] << " here";
    if (isa<func::ReturnOp>(op))
      return results(op);
    if (auto add = dyn_cast<llm::AddOp>(op))
      for (auto [value, other] : {std::pair(add.getLhs(), add.getRhs()),
                                  std::pair(add.getRhs(), add.getLhs())})
        if (value.getDefiningOp<llm::PendingGradientOp>())
          states[value] = states[other];
    SmallVector<AxisState> operands;
    for (Value operand : op->getOperands())
      operands.push_back(states[operand]);
    if (auto dropout = dyn_cast<llm::DropoutOp>(op);
        dropout && operands[0].isSplit() && axis == kTensorAxis &&
        (!dropout.getPlace() || dropout.getRows() != (operands[0].dim == 0)))
      return complain(op, operands[0])
             << ", whose elements it does not number as in the whole";
    auto follows = statesOf(op, operands, axis == kDataAxis);
    if (failed(follows))
      return failure();
    for (auto [i, has] : llvm::enumerate(operands))
      if (has != follows->operands[i])
        return complain(op, has) << " as operand " << i << ", needs it "
                                 << follows->operands[i].text();
    for (auto [result, state] : llvm::zip(op->getResults(), follows->results))
      states[result] = state;
    return success();
  }

  LogicalResult storeGradient(llm::GradientStoreOp store) {
    AxisState state = states[store.getValue()];
    if (axis == kDataAxis && state.isSplit())
      return complain(store, state) << ", not the gradient of the whole batch";
    if (state.isPartial() && isWhole)
      unreduced[store.getName()] = store;
    return success();
  }

  LogicalResult reduceGradients(llm::ReduceGradientsOp reduce) {
    if (!isOver(reduce.getAxes()))
      return success();
    for (auto name : reduce.getParameters().getAsRange<StringAttr>())
      if (!unreduced.erase(name.getValue()))
        return reduce.emitOpError("sums the gradient of '")
               << name.getValue() << "' over axis " << kAxisNames[axis]
               << ", which is no stored term: it would be counted several "
                  "times";
    return success();
  }

  LogicalResult results(Operation *terminator) {
    for (auto [i, value] : llvm::enumerate(terminator->getOperands())) {
      AxisState state = states[value];
      if (axis == kTensorAxis ? !state.isReplicated()
                              : isStep && state.isPartial())
        return complain(terminator, state)
               << " as result " << i << ", must be whole";
    }
    return success();
  }
};

struct VerifySharded : llamac::impl::VerifyShardedBase<VerifySharded> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    shard::GridOp grid = theGrid(module);
    if (!grid || failed(check(module, grid)))
      return signalPassFailure();
    module->setAttr(llm::LlmDialect::kLevelAttr,
                    StringAttr::get(&getContext(), "sharded"));
  }

  static LogicalResult check(ModuleOp module, shard::GridOp grid) {
    bool alone =
        llvm::all_of(grid.getShape(), [](int64_t n) { return n == 1; });
    WalkResult result = module.walk([&](Operation *op) {
      if (!isa_and_nonnull<shard::ShardDialect>(op->getDialect()) ||
          isa<shard::GridOp>(op))
        return WalkResult::advance();
      if (isa<shard::ShardOp, shard::ShardingOp>(op))
        return op->emitError("is an annotation nobody partitioned"),
               WalkResult::interrupt();
      if (!isa<shard::AllReduceOp, shard::AllGatherOp, shard::ReduceScatterOp>(
              op))
        return op->emitError("is no collective that a plan knows"),
               WalkResult::interrupt();
      if (alone)
        return op->emitError("has no meaning on one device"),
               WalkResult::interrupt();
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      return failure();
    for (auto f : module.getOps<func::FuncOp>()) {
      if (!f->hasAttr(llm::LlmDialect::kProgramAttr))
        continue;
      for (unsigned axis = 0; axis < kAxes; ++axis)
        if (grid.getShape()[axis] > 1 && failed(AxisCheck(f, axis).run()))
          return failure();
    }
    return sameAlongBatch(module);
  }

  /// Ranks along dp may run programs for different numbers of tokens in the
  /// same step: what they exchange must not depend on it.
  static LogicalResult sameAlongBatch(ModuleOp module) {
    llvm::DenseMap<int, std::pair<func::FuncOp, SmallVector<std::string>>> of;
    for (auto f : module.getOps<func::FuncOp>()) {
      auto program =
          f->getAttrOfType<llm::ProgramAttr>(llm::LlmDialect::kProgramAttr);
      if (!program)
        continue;
      SmallVector<std::string> exchanged = alongBatch(f);
      auto [it, isNew] =
          of.try_emplace(static_cast<int>(program.getKind()), f, exchanged);
      if (!isNew && it->second.second != exchanged)
        return f.emitError("exchanges other things along axis dp than ")
               << it->second.first.getName()
               << " does, so ranks could not run both in one step";
    }
    return success();
  }

  static SmallVector<std::string> alongBatch(func::FuncOp f) {
    SmallVector<std::string> found;
    for (Operation &op : f.getBody().front()) {
      auto isOverBatch = [](auto axes) {
        return llvm::is_contained(axes, int(kDataAxis));
      };
      bool is = false;
      if (auto sum = dyn_cast<shard::AllReduceOp>(op))
        is = isOverBatch(sum.getGridAxes());
      else if (auto gather = dyn_cast<shard::AllGatherOp>(op))
        is = isOverBatch(gather.getGridAxes());
      else if (auto scatter = dyn_cast<shard::ReduceScatterOp>(op))
        is = isOverBatch(scatter.getGridAxes());
      else if (auto reduce = dyn_cast<llm::ReduceGradientsOp>(op))
        is = isOverBatch(reduce.getAxes());
      if (!is)
        continue;
      std::string text;
      llvm::raw_string_ostream out(text);
      out << op.getName() << op.getAttrDictionary() << op.getResultTypes();
      found.push_back(text);
    }
    return found;
  }
};

} // namespace
