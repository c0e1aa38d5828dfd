//===- LowerToPlan.cpp - Functions as programs of steps -------------------===//
#include "passes/lower/Passes.h"
#include "passes/lower/ProgramLowering.h"

#include "mlir/Dialect/Shard/IR/ShardOps.h"
#include "mlir/IR/Builders.h"

namespace llamac {
#define GEN_PASS_DEF_LOWERTOPLAN
#include "passes/lower/Passes.h.inc"
} // namespace llamac

using namespace mlir;

namespace {

struct LowerToPlan : llamac::impl::LowerToPlanBase<LowerToPlan> {
  using LowerToPlanBase::LowerToPlanBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto storage = llamac::Storage::create(module);
    if (failed(storage))
      return signalPassFailure();
    OpBuilder b(module.getBodyRegion());
    setGrid(b); // collectives are checked against it
    SmallVector<func::FuncOp> functions(module.getOps<func::FuncOp>());

    // Tables first, then kernels, then programs.
    b.setInsertionPointToEnd(module.getBody());
    storage->emit(b, module.getLoc(), workspace);
    // Kernels go before this mark, programs after it.
    auto mark = func::FuncOp::create(b, module.getLoc(), "__mark",
                                     b.getFunctionType({}, {}));
    mark.setPrivate();
    OpBuilder kernelBuilder(mark);
    llamac::KernelTable kernels(kernelBuilder);
    for (func::FuncOp f : functions)
      llamac::lowerProgram(b, f, *storage, kernels, {stridedAttention});
    mark.erase();
    for (func::FuncOp f : functions)
      f.erase();
    module->setAttr(llm::LlmDialect::kLevelAttr, b.getStringAttr("plan"));
  }

  /// shard.grid becomes plan.grid; a plan without one is for one device.
  void setGrid(OpBuilder &b) {
    static constexpr StringLiteral kNames[] = {"dp", "tp"};
    ModuleOp module = getOperation();
    for (auto grid :
         llvm::make_early_inc_range(module.getOps<shard::GridOp>())) {
      SmallVector<Attribute> axes;
      bool alone = true;
      for (auto [i, size] : llvm::enumerate(grid.getShape())) {
        axes.push_back(plan::AxisAttr::get(
            b.getContext(), i < 2 ? StringRef(kNames[i]) : StringRef("axis"),
            size));
        alone &= size == 1;
      }
      if (!alone)
        module->setAttr(plan::PlanDialect::kGridAttr, b.getArrayAttr(axes));
      grid.erase();
    }
  }
};

} // namespace
