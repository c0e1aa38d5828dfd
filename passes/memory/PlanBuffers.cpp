//===- PlanBuffers.cpp - Offsets of activations ---------------------------===//
#include "passes/memory/Liveness.h"
#include "passes/memory/Passes.h"

#include "mlir/IR/Builders.h"
#include "llvm/Support/MathExtras.h"

namespace llamac {
#define GEN_PASS_DEF_PLANBUFFERS
#include "passes/memory/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

constexpr int64_t kAlignment =
    256; // bytes; what cuBLASLt and vectors like best

struct Placed {
  int64_t offset, end; // bytes
  int64_t first, last; // steps
};

struct PlanBuffers : llamac::impl::PlanBuffersBase<PlanBuffers> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    int64_t arena = 0;
    for (auto program : module.getOps<plan::ProgramOp>())
      arena = std::max(arena, plan(program));
    for (auto allocation : module.getOps<plan::AllocationOp>())
      if (allocation.getCategory() == plan::Category::Activations)
        // An empty arena still is an allocation of the plan.
        allocation.setBytes(std::max(arena, kAlignment));
  }

  static int64_t plan(plan::ProgramOp program) {
    for (auto view :
         llvm::make_early_inc_range(program.getBlock().getOps<plan::ViewOp>()))
      if (view->use_empty())
        view.erase();
    auto live = llamac::liveActivations(program);
    for (auto buffer : llvm::make_early_inc_range(
             program.getBlock().getOps<plan::BufferOp>()))
      if (buffer->use_empty())
        buffer.erase();
    llvm::stable_sort(live, [](auto &a, auto &b) { return a.bytes > b.bytes; });
    SmallVector<Placed> placed; // ascending offsets
    int64_t peak = 0;
    OpBuilder b(program.getContext());
    for (auto &buffer : live) {
      int64_t bytes = llvm::alignTo(buffer.bytes, kAlignment);
      int64_t offset = 0;
      for (Placed &other : placed) {
        if (other.last < buffer.first || other.first > buffer.last)
          continue;
        if (offset + bytes <= other.offset)
          break;
        offset = std::max(offset, other.end);
      }
      Placed mine{offset, offset + bytes, buffer.first, buffer.last};
      placed.insert(llvm::upper_bound(placed, mine,
                                      [](const Placed &l, const Placed &r) {
                                        return l.offset < r.offset;
                                      }),
                    mine);
      buffer.op.setOffsetAttr(b.getI64IntegerAttr(offset));
      peak = std::max(peak, mine.end);
    }
    program.setActivationBytes(peak);
    return peak;
  }
};

} // namespace
