//===- Partition.cpp - From whole tensors to one device's part ------------===//
//
// One walk from the inputs and weights, which are annotated, to the results.
// Each value gets a state for each axis of the grid (AxisState); where an op
// needs another state than its operand has, a collective is put in.
//
//===----------------------------------------------------------------------===//
#include "dialects/llm/LlmDialect.h"
#include "passes/shard/Passes.h"
#include "passes/shard/ValueStates.h"

#include "llvm/ADT/StringMap.h"

namespace llamac {
#define GEN_PASS_DEF_PARTITION
#include "passes/shard/Passes.h.inc"
} // namespace llamac

using namespace mlir;
using namespace llamac;

namespace {

class ProgramPartition {
public:
  ProgramPartition(func::FuncOp function, shard::GridOp grid,
                   bool sequenceParallel, bool keepsGathered)
      : function(function), states(function, grid), b(function.getContext()),
        program(function->getAttrOfType<llm::ProgramAttr>(
            llm::LlmDialect::kProgramAttr)),
        sequenceParallel(sequenceParallel && devices(kTensorAxis) > 1),
        keepsGathered(keepsGathered) {}

  LogicalResult run() {
    if (sequenceParallel && failed(checkTokens()))
      return failure();
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
  ValueStates states;
  OpBuilder b;
  llm::ProgramAttr program;
  bool sequenceParallel, keepsGathered;
  llvm::StringMap<Value> parameters;
  /// Local labels and statistics of whole rows, by logits.
  llvm::DenseMap<Value, std::pair<Value, Value>> softmaxes;

  int64_t devices(unsigned axis) { return states.devices(axis); }
  static bool isBatch(unsigned axis) { return axis == kDataAxis; }
  bool isSplit(Value value, unsigned dim) { return states.isSplit(value, dim); }

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
    if (auto gather = dyn_cast<llm::GatherRowsOp>(op))
      if (isSplit(gather.getX(), 0))
        return partition(gather);
    if (sequenceParallel) {
      if (auto scatter = dyn_cast<llm::ScatterRowsOp>(op))
        ownTokens(scatter);
      if (isa<llm::LinearOp, llm::MatmulOp>(op))
        shareGathers(op);
    }
    if (auto loss = dyn_cast<llm::CrossEntropyOp>(op))
      if (isSplit(loss.getLogits(), 1))
        return partition(loss);
    if (auto gradient = dyn_cast<llm::CrossEntropyGradOp>(op))
      if (isSplit(gradient.getLogits(), 1))
        return partition(gradient);
    if (auto probe = dyn_cast<llm::ProbeOp>(op))
      if (isSplit(probe.getX(), 1))
        return partition(probe);
    return run(op);
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
          states.convert(operand.get(), wanted[operand.getOperandNumber()], op);
      if (!value)
        return failure();
      operand.set(value);
    }
    for (auto [result, state] : llvm::zip(op->getResults(), results)) {
      states[result] = state;
      if (failed(localize(op, result, state[kTensorAxis])))
        return failure();
    }
    if (auto dropout = dyn_cast<llm::DropoutOp>(op)) {
      if (isSplit(dropout.getX(), 0)) {
        auto part = cast<RankedTensorType>(dropout.getX().getType());
        dropout.getPlaceMutable().assign(states.firstRow(part.getDimSize(0)));
        dropout.setRows(true);
      } else if (isSplit(dropout.getX(), 1)) {
        dropout.getPlaceMutable().assign(states.place());
        dropout.setAxis(kTensorAxis);
        dropout.setParts(devices(kTensorAxis));
      }
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
    auto ids = make<llm::LocalIdsOp>(op.getLoc(), op.getIds(), states.place(),
                                     kTensorAxis, rows);
    auto rowsOf = make<llm::ScatterRowsOp>(op.getLoc(), op.getType(),
                                           op.getTable(), ids.getResult());
    if (failed(run(ids)) || failed(run(rowsOf)))
      return failure();
    Value result = rowsOf;
    if (sequenceParallel) {
      States wanted = states[result];
      wanted[kTensorAxis] = AxisState::split(0);
      if (!(result = states.convert(result, wanted, op)))
        return failure();
    }
    op->replaceAllUsesWith(ValueRange(result));
    op->erase();
    return success();
  }

  /// Rows of x that another device has count 0.
  LogicalResult partition(llm::GatherRowsOp op) {
    auto ids = make<llm::LocalIdsOp>(
        op.getLoc(), op.getIndex(), states.place(), kTensorAxis,
        cast<RankedTensorType>(op.getX().getType()).getDimSize(0));
    auto rowsOf = make<llm::ScatterRowsOp>(op.getLoc(), op.getType(), op.getX(),
                                           ids.getResult());
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
    auto ids = make<llm::LocalIdsOp>(loc, labels, states.place(), kTensorAxis,
                                     type.getDimSize(1));
    auto part = make<llm::SoftmaxStatsOp>(loc, logits, ids.getResult());
    if (failed(run(ids)) || failed(run(part)))
      return failure();
    int64_t rows = type.getDimSize(0);
    Value all = states.gather(b, part.getResult(), 0);
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

  /// Statistics of each device's columns, gathered and joined.
  LogicalResult partition(llm::ProbeOp op) {
    auto type = cast<RankedTensorType>(op.getX().getType());
    Value part = make<llm::ProbeOp>(op.getLoc(), op.getX(),
                                    op.getThreshold().convertToDouble());
    States whole = states[op.getX()];
    whole[kTensorAxis] = AxisState();
    states[part] = whole;
    states[part][kTensorAxis] = AxisState::split(0);
    Value all = states.gather(b, part, 0);
    states[all] = whole;
    auto joined = make<llm::JoinProbeOp>(
        op.getLoc(), cast<RankedTensorType>(op.getType()), all,
        static_cast<uint64_t>(type.getDimSize(1)));
    return failed(run(joined)) ? failure() : replace(op, joined);
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
  // Tokens split along tp between the layers (Korthikanti et al. 2022)
  //
  // Only the embedding and gradients of gathered rows begin such values; all
  // else follows from the loops of the ops, up to the layers that need them
  // whole.
  //===--------------------------------------------------------------------===//

  LogicalResult checkTokens() {
    int64_t tp = devices(kTensorAxis), tokens = program.getTokens();
    if (tokens % tp == 0)
      return success();
    int64_t below = tokens / tp * tp;
    InFlightDiagnostic error =
        function.emitError("sequence-parallel splits tokens over axis tp, but ")
        << tokens << " tokens have no " << tp << " equal parts; ";
    if (below > 0)
      error << below << " or ";
    return error << below + tp << " have";
  }

  /// Each device makes its own tokens' rows of what all have.
  void ownTokens(llm::ScatterRowsOp op) {
    if (states[op.getDy()][kTensorAxis].isSplit())
      return;
    Value inverse = op.getInverse();
    States wanted = states[inverse];
    wanted[kTensorAxis] = AxisState::split(0);
    // The number of tokens, checked.
    op.getInverseMutable().assign(states.convert(inverse, wanted, op));
  }

  /// Where another layer of the same input (an adapter's, a base layer's) needs
  /// all tokens, this one takes them, too, so that they are one product later.
  /// What the forward pass gathered is not kept for gradients of factors where
  /// memory is scarce: a reduce-scatter of their other, narrow operand gives
  /// them, too.
  void shareGathers(Operation *op) {
    auto needsAll = [&](Operation *user, Value x) {
      if (user->getName() != op->getName() || user->getOperand(0) != x)
        return false;
      if (auto matmul = dyn_cast<llm::MatmulOp>(user))
        return !matmul.getTransposeA() && isSplit(matmul.getB(), 1);
      return isSplit(user->getOperand(1), 0);
    };
    for (OpOperand &operand : op->getOpOperands()) {
      Value x = operand.get();
      if (!isSplit(x, 0))
        continue;
      States wanted = states[x];
      wanted[kTensorAxis] = AxisState();
      Value all = states.made(x, wanted);
      auto isShared = [&](Value v) {
        return v && llvm::any_of(v.getUsers(), [&](Operation *user) {
                 return needsAll(user, v);
               });
      };
      if ((keepsGathered && all) || isShared(x) || isShared(all))
        operand.set(states.convert(x, wanted, op));
    }
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
      if (Value sum = states.sumOf(operand.get()))
        operand.set(sum);
  }

  LogicalResult storeGradient(llm::GradientStoreOp store) {
    auto parameter = parameters.find(store.getName());
    if (parameter == parameters.end())
      return store.emitOpError("is the gradient of nothing trainable");
    States wanted = states[parameter->second];
    // Terms of several micro-batches are summed before those of devices are.
    if (program.getKind() == llm::ProgramKind::Accumulate)
      for (unsigned axis = 0; axis < kAxes; ++axis)
        if (states[store.getValue()][axis].isPartial())
          wanted[axis] = AxisState::partial();
    Value value = states.convert(store.getValue(), wanted, store);
    if (!value)
      return failure();
    store.getValueMutable().assign(value);
    return success();
  }

  /// Results are whole on every device of the tp axis. Those of a step are sums
  /// over dp; of the other programs each part of the batch has its own.
  LogicalResult deliver(Operation *terminator) {
    for (OpOperand &operand : terminator->getOpOperands()) {
      States wanted = states[operand.get()];
      wanted[kTensorAxis] = AxisState();
      if (program.getKind() == llm::ProgramKind::Train &&
          wanted[kDataAxis].isPartial())
        wanted[kDataAxis] = AxisState();
      Value value = states.convert(operand.get(), wanted, terminator);
      if (!value)
        return failure();
      operand.set(value);
    }
    return success();
  }
};

struct Partition : llamac::impl::PartitionBase<Partition> {
  using PartitionBase::PartitionBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    shard::GridOp grid = theGrid(module);
    if (!grid)
      return signalPassFailure();
    if (llvm::all_of(grid.getShape(), [](int64_t n) { return n == 1; }))
      return;
    int64_t most = 0;
    SmallVector<std::pair<func::FuncOp, int64_t>> programs;
    for (auto f : module.getOps<func::FuncOp>())
      if (auto program = f->getAttrOfType<llm::ProgramAttr>(
              llm::LlmDialect::kProgramAttr)) {
        programs.emplace_back(f, program.getTokens());
        most = std::max<int64_t>(most, program.getTokens());
      }
    // Programs share memory that is allocated for the largest: in one of half
    // the tokens there is room to keep what was gathered.
    for (auto [f, tokens] : programs)
      if (failed(ProgramPartition(f, grid, sequenceParallel, 2 * tokens <= most)
                     .run()))
        return signalPassFailure();
  }
};

} // namespace
