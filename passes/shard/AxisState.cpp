//===- AxisState.cpp - How a value lies along one axis --------------------===//
#include "passes/shard/AxisState.h"

#include "dialects/llm/LlmDialect.h"

#include "mlir/Dialect/Shard/Interfaces/ShardingInterface.h"
#include "mlir/IR/AffineExpr.h"
#include "llvm/ADT/SmallBitVector.h"

using namespace mlir;
using namespace llamac;

std::string AxisState::text() const {
  switch (kind) {
  case Replicated:
    return "replicated";
  case Split:
    return "split along dimension " + std::to_string(dim);
  case Partial:
    return "a term of a sum";
  }
  llvm_unreachable("all kinds are handled");
}

namespace {

enum class LoopKind { Parallel, Sum, Whole };

/// The loops of an op and where its dimensions belong, as its ShardingInterface
/// says.
class Loops {
public:
  explicit Loops(shard::ShardingInterface op) : maps(op.getIndexingMaps()) {
    SmallVector<shard::ReductionKind> kinds =
        op.getReductionLoopIteratorKinds();
    unsigned next = 0;
    for (utils::IteratorType type : op.getLoopIteratorTypes())
      this->kinds.push_back(
          type == utils::IteratorType::parallel        ? LoopKind::Parallel
          : kinds[next++] == shard::ReductionKind::Sum ? LoopKind::Sum
                                                       : LoopKind::Whole);
  }
  /// Of dimension `dim` of the value numbered `value`: operands, then results.
  unsigned loopOf(unsigned value, unsigned dim) const {
    return maps[value].getDimPosition(dim);
  }
  unsigned rankOf(unsigned value) const { return maps[value].getNumResults(); }
  LoopKind kind(unsigned loop) const { return kinds[loop]; }

private:
  SmallVector<AffineMap> maps;
  SmallVector<LoopKind> kinds;
};

} // namespace

/// The op is linear in this operand while the others are the same everywhere.
static bool isLinearIn(Operation *op, unsigned operand) {
  if (auto matmul = dyn_cast<llm::MatmulOp>(op))
    return !matmul.getAccumulate();
  if (isa<llm::LinearOp>(op))
    return true;
  return operand == 0 &&
         isa<llm::CastOp, llm::GatherRowsOp, llm::DropoutOp>(op);
}

/// Terms of a sum pass through the op: true if they do.
static bool passesTerms(Operation *op, ArrayRef<AxisState> operands) {
  auto isPartial = [](AxisState s) { return s.isPartial(); };
  if (isa<llm::AddOp>(op))
    return llvm::all_of(operands, isPartial);
  const AxisState *term = llvm::find_if(operands, isPartial);
  return llvm::count_if(operands, isPartial) == 1 &&
         llvm::none_of(operands, [](AxisState s) { return s.isSplit(); }) &&
         isLinearIn(op, term - operands.begin());
}

/// The operand of a product whose split the other follows. Rows of activations
/// are gathered rather than columns or weights: what else shares them needs
/// them whole, too.
static unsigned leadingOperand(Operation *op, ArrayRef<AxisState> operands) {
  if (isa<llm::LinearOp>(op))
    return operands[1].isSplit() ? 1 : 0;
  if (isa<llm::MatmulOp>(op))
    return operands[1] == AxisState::split(1) ? 1 : 0;
  return 0;
}

FailureOr<OpStates>
llamac::statesOf(Operation *op, ArrayRef<AxisState> operands, bool isBatch) {
  OpStates states;
  states.operands.assign(operands.begin(), operands.end());
  states.results.resize(op->getNumResults());
  auto isPartial = [](AxisState s) { return s.isPartial(); };
  if (llvm::any_of(operands, isPartial)) {
    if (passesTerms(op, operands)) {
      states.results.assign(op->getNumResults(), AxisState::partial());
      return states;
    }
    for (AxisState &state : states.operands)
      if (state.isPartial())
        state = AxisState();
  }
  if (!isBatch && isa<llm::LocalRowsOp>(op)) {
    states.operands[0] = AxisState();
    states.results[0] = AxisState::split(0);
    return states;
  }
  if (llvm::all_of(states.operands,
                   [](AxisState s) { return s.isReplicated(); }))
    return states;

  // Parts of rows of logits, or of what is probed: statistics of part i are
  // part i of their all-gather.
  if (!isBatch &&
      isa<llm::SoftmaxStatsOp, llm::CrossEntropyPartsGradOp, llm::ProbeOp>(
          op) &&
      states.operands[0] == AxisState::split(1)) {
    states.results[0] =
        AxisState::split(isa<llm::CrossEntropyPartsGradOp>(op) ? 1 : 0);
    return states;
  }
  auto interface = dyn_cast<shard::ShardingInterface>(op);
  if (!interface)
    return op->emitOpError("has no loops that a grid could split");
  Loops loops(interface);
  // An axis of tensors splits one loop: the first that it can. The batch is
  // whatever loop its rows belong to.
  llvm::SmallBitVector split(64);
  bool any = false;
  unsigned leading = isBatch ? 0 : leadingOperand(op, states.operands);
  for (unsigned i : llvm::seq<unsigned>(0, op->getNumOperands())) {
    // The leading operand comes first.
    i = i == 0 ? leading : i == leading ? 0 : i;
    AxisState state = states.operands[i];
    if (!state.isSplit())
      continue;
    unsigned loop = loops.loopOf(i, state.dim);
    if (isBatch || (!any && loops.kind(loop) != LoopKind::Whole))
      split.set(loop);
    any |= split.any();
  }
  for (auto [i, state] : llvm::enumerate(states.operands)) {
    AxisState wanted;
    for (unsigned d = 0; d < loops.rankOf(i); ++d)
      if (split.test(loops.loopOf(i, d)))
        wanted = AxisState::split(d);
    // Along the batch, what is not split holds for every device's rows.
    if (isBatch && !state.isSplit())
      continue;
    state = wanted;
  }
  unsigned first = op->getNumOperands();
  bool isSum = false;
  for (int loop : split.set_bits())
    isSum |= loops.kind(loop) == LoopKind::Sum;
  for (auto [i, state] : llvm::enumerate(states.results)) {
    bool isSplit = false;
    for (unsigned d = 0; d < loops.rankOf(first + i); ++d)
      if (split.test(loops.loopOf(first + i, d))) {
        state = AxisState::split(d);
        isSplit = true;
      }
    if (!isSplit && isSum)
      state = AxisState::partial();
    else if (!isSplit && any && split.any())
      return op->emitOpError("has a result that does not follow from a part of "
                             "its operands");
  }
  return states;
}
