//===- AssignStreams.cpp - Factor gradients beside the backward pass ------===//
//
// Products that end in the gradient buffer are wanted by nobody before the
// clipping norm: they run on a second stream, beside the products that the
// backward pass waits for. What they read must stay until they are done, so
// every kLag steps the main stream waits for those that are old.
//
//===----------------------------------------------------------------------===//
#include "dialects/plan/PlanDialect.h"
#include "passes/memory/Passes.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringSet.h"

namespace llamac {
#define GEN_PASS_DEF_ASSIGNSTREAMS
#include "passes/memory/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

/// About the steps of the backward pass of one layer.
constexpr int64_t kLag = 48;

struct AssignStreams : llamac::impl::AssignStreamsBase<AssignStreams> {
  void runOnOperation() override {
    llvm::StringSet<> gradients;
    for (auto allocation : getOperation().getOps<plan::AllocationOp>())
      if (allocation.getCategory() == plan::Category::Gradients)
        gradients.insert(allocation.getSymName());
    for (auto program : getOperation().getOps<plan::ProgramOp>())
      assign(program, gradients);
  }

  static plan::BufferOp bufferOf(Value value) {
    if (auto view = value.getDefiningOp<plan::ViewOp>())
      value = view.getSource();
    return value.getDefiningOp<plan::BufferOp>();
  }

  void assign(plan::ProgramOp program, const llvm::StringSet<> &gradients) {
    SmallVector<plan::StepOpInterface> steps;
    for (auto step : program.getBlock().getOps<plan::StepOpInterface>())
      steps.push_back(step);
    auto inGradients = [&](Value value) {
      return gradients.contains(bufferOf(value).getAllocation());
    };
    auto isSide = [&](plan::StepOpInterface step) {
      if (auto gemm = dyn_cast<plan::GemmOp>(*step))
        return inGradients(gemm.getD());
      return isa<plan::LaunchOp>(*step) &&
             llvm::all_of(step.getWrites(), inGradients) &&
             llvm::none_of(step.getReads(), inGradients);
    };
    if (llvm::none_of(steps, isSide))
      return;
    Builder b(program.getContext());
    llvm::DenseMap<Operation *, int64_t> writer; // last main step of a buffer
    int64_t waited = -1;  // last main step the side stream has waited for
    int64_t joined = -1;  // last side step the main stream has waited for
    int64_t joinedAt = 0; // where
    SmallVector<int64_t> side;
    for (auto [i, step] : llvm::enumerate(steps)) {
      auto index = static_cast<int64_t>(i);
      if (isSide(step)) {
        int64_t needs = -1;
        for (Value value : step.getReads())
          if (auto it = writer.find(bufferOf(value)); it != writer.end())
            needs = std::max(needs, it->second);
        step.setStepStream(1);
        if (needs > waited) {
          if (auto launch = dyn_cast<plan::LaunchOp>(*step))
            launch.setProgrammatic(false);
          step.setStepWaits({needs});
          waited = needs;
        }
        side.push_back(index);
        continue;
      }
      for (Value value : step.getWrites())
        writer[bufferOf(value)] = index;
      if (side.empty() || side.back() <= joined)
        continue;
      int64_t wait = -1;
      if (llvm::any_of(step.getReads(), inGradients) ||
          llvm::any_of(step.getWrites(), inGradients)) {
        wait = side.back();
      } else if (index - joinedAt >= kLag) {
        // The last one that is half a lag old, and probably done.
        for (int64_t s : side)
          if (s <= index - kLag / 2)
            wait = s;
      }
      if (wait <= joined)
        continue;
      step.setStepWaits({wait});
      // A launch that begins early would begin before what it waits for.
      if (auto launch = dyn_cast<plan::LaunchOp>(*step))
        launch.setProgrammatic(false);
      joined = wait;
      joinedAt = index;
    }
    program.setStreams(2);
  }
};

} // namespace
