//===- StreamOrder.h - What must be done before what -----------*- C++ -*-===//
#pragma once

#include "dialects/plan/PlanDialect.h"

#include "llvm/ADT/SmallVector.h"

namespace llamac {

/// Follows the steps of a program in order and knows, for each stream, up to
/// which step of every other stream its current step comes after (a vector
/// clock).
class StreamOrder {
public:
  explicit StreamOrder(unsigned streams) : known(streams, Clock(streams, -1)) {}

  /// Enters the next step.
  void enter(plan::StepOpInterface step);
  /// True if step `earlier` is done when the current step begins.
  bool isDone(int64_t earlier) const {
    unsigned from = streamOf[earlier];
    return from == stream || known[stream][from] >= earlier;
  }
  /// True if every stream's next step comes after step `earlier`.
  bool isDoneEverywhere(int64_t earlier) const {
    unsigned from = streamOf[earlier];
    for (unsigned s = 0; s < known.size(); ++s)
      if (s != from && known[s][from] < earlier)
        return false;
    return true;
  }
  int64_t current() const { return static_cast<int64_t>(streamOf.size()) - 1; }

private:
  using Clock = llvm::SmallVector<int64_t, 2>;
  llvm::SmallVector<Clock> known; // by stream, then by other stream
  llvm::SmallVector<Clock> at;    // by step: what was known when it began
  llvm::SmallVector<unsigned> streamOf;
  unsigned stream = 0;
};

/// The step of stream 0 from which on step `index` of another stream is done,
/// or the number of steps.
int64_t joinOf(llvm::ArrayRef<plan::StepOpInterface> steps, int64_t index);

} // namespace llamac
