//===- SumInKernels.cpp - Sums over devices inside row kernels ------------===//
//
// A tensor-parallel step sums [T, hidden] over devices 130 times, and what
// reads the sum is a norm with a residual. A kernel that takes the sum itself
// saves a launch, its gaps and the way through memory
// (bench/results/2026-11-23-h200-peer-sums.md).
//
//===----------------------------------------------------------------------===//
#include "passes/codegen/Passes.h"

#include "dialects/llm/LlmDialect.h"
#include "dialects/plan/PlanDialect.h"
#include "passes/codegen/GpuObject.h"
#include "passes/codegen/GpuRowwise.h"

#include "mlir/IR/SymbolTable.h"

namespace llamac {
#define GEN_PASS_DEF_SUMINKERNELS
#include "passes/codegen/Passes.h.inc"
} // namespace llamac

using namespace mlir;
using namespace llamac;

namespace {

/// The grid's first axis splits the batch.
constexpr int64_t kDataAxis = 0;

struct SumInKernels : llamac::impl::SumInKernelsBase<SumInKernels> {
  using SumInKernelsBase::SumInKernelsBase;

  void getDependentDialects(DialectRegistry &registry) const override {
    registerGpuObjectDialects(registry);
    registry.insert<plan::PlanDialect>();
  }

  void runOnOperation() override {
    SymbolTable table(getOperation());
    symbols = &table;
    for (auto program : getOperation().getOps<plan::ProgramOp>()) {
      SmallVector<plan::CollectiveOp> sums;
      for (auto op : program.getBlock().getOps<plan::CollectiveOp>())
        sums.push_back(op);
      for (plan::CollectiveOp sum : sums)
        if (plan::LaunchOp launch = launchFor(sum))
          join(sum, launch);
    }
    // Kernels that no launch is left of.
    for (plan::KernelOp kernel : replaced)
      if (SymbolTable::symbolKnownUseEmpty(kernel, getOperation()))
        kernel.erase();
  }

private:
  SymbolTable *symbols = nullptr;
  llvm::SetVector<plan::KernelOp> replaced;
  llvm::DenseMap<std::pair<Operation *, std::pair<int64_t, int64_t>>,
                 plan::KernelOp>
      kernels;

  plan::KernelOp kernelOf(plan::LaunchOp launch) {
    return symbols->lookup<plan::KernelOp>(launch.getKernel());
  }

  static int64_t inputOf(plan::LaunchOp launch, Value value) {
    return llvm::find(launch.getInputs(), value) - launch.getInputs().begin();
  }

  /// The launch that can take the sum, or null.
  plan::LaunchOp launchFor(plan::CollectiveOp sum) {
    Value buffer = sum.getTarget();
    auto devices = plan::devicesAlong(sum, sum.getAxes());
    auto bytes =
        plan::placeBytes(cast<RankedTensorType>(buffer.getType())).value_or(0);
    if (sum.getKind() != plan::CollectiveKind::AllReduceSum ||
        sum.getSource() != buffer || sum.getStream() != 0 ||
        llvm::is_contained(sum.getAxes(), kDataAxis) || failed(devices) ||
        *devices < 2 || bytes * (*devices - 1) > mostBytes ||
        !buffer.getDefiningOp<plan::BufferOp>())
      return {};
    // The first to use it, and the only one unless it writes it anew (a
    // residual goes where the sum was).
    Operation *first = nullptr;
    bool others = false;
    auto visit = [&](Operation *user) {
      if (user == sum || user->isBeforeInBlock(sum))
        return;
      others |= first && user != first;
      if (!first || user->isBeforeInBlock(first))
        first = user;
    };
    for (Operation *user : buffer.getUsers()) {
      if (isa<plan::OutputOp>(user))
        others = true;
      else if (isa<plan::ViewOp>(user))
        llvm::for_each(user->getUsers(), visit);
      else
        visit(user);
    }
    auto launch = dyn_cast_or_null<plan::LaunchOp>(first);
    if (!launch || llvm::count(launch.getInputs(), buffer) != 1 ||
        (others && !llvm::is_contained(launch.getOutputs(), buffer)) ||
        launch.getSums() || launch.getStream() != 0 || !sum.getWaits().empty())
      return {};
    plan::KernelOp kernel = kernelOf(launch);
    auto source = kernel && !kernel.getSums()
                      ? dyn_cast_or_null<llm::RowwiseOp>(kernel.getSource())
                      : nullptr;
    if (!source ||
        !canSumInKernel(source, static_cast<unsigned>(inputOf(launch, buffer))))
      return {};
    return launch;
  }

  void join(plan::CollectiveOp sum, plan::LaunchOp launch) {
    int64_t input = inputOf(launch, sum.getTarget());
    int64_t devices = *plan::devicesAlong(sum, sum.getAxes());
    plan::KernelOp kernel = kernelOf(launch);
    plan::KernelOp &variant = kernels[{kernel, {input, devices}}];
    if (!variant) {
      variant = kernel.clone();
      variant.setSymName(
          (kernel.getSymName() + "_sum" + std::to_string(input)).str());
      variant.setDescription("sum over devices+" +
                             kernel.getDescription().str());
      variant.setSums(ArrayRef<int64_t>{input, devices});
      // Renames it should the name be taken.
      symbols->insert(variant, std::next(kernel->getIterator()));
      replaced.insert(kernel);
    }
    sum->moveBefore(launch);
    sum.setInKernel(true);
    launch.setKernelAttr(FlatSymbolRefAttr::get(variant.getSymNameAttr()));
    launch.setSums(input);
  }
};

} // namespace
