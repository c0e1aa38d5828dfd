//===- GenerateGpuKernels.cpp - Compile a plan's kernels for NVIDIA GPUs --===//
#include "passes/codegen/Passes.h"

#include "dialects/plan/PlanDialect.h"
#include "passes/codegen/GpuObject.h"
#include "passes/codegen/GpuRowwise.h"

#include "mlir/IR/SymbolTable.h"

namespace llamac {
#define GEN_PASS_DEF_GENERATEGPUKERNELS
#include "passes/codegen/Passes.h.inc"
} // namespace llamac

using namespace mlir;
using namespace llamac;

namespace {

struct GenerateGpuKernels
    : public llamac::impl::GenerateGpuKernelsBase<GenerateGpuKernels> {
  using GenerateGpuKernelsBase::GenerateGpuKernelsBase;

  void getDependentDialects(DialectRegistry &registry) const override {
    registerGpuObjectDialects(registry);
    registry.insert<plan::PlanDialect>();
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (!isGpuArch(arch)) {
      module.emitError("unknown GPU architecture '")
          << arch << "': sm_80 and later are known";
      return signalPassFailure();
    }
    if (format != "cubin" && format != "ptx") {
      module.emitError("unknown code format '")
          << format << "': cubin and ptx are known";
      return signalPassFailure();
    }
    llvm::SmallVector<plan::KernelOp> sources;
    for (auto kernel : module.getOps<plan::KernelOp>())
      if (!kernel.getCodeObjectAttr() && kernel.getSource())
        sources.push_back(kernel);
    if (sources.empty())
      return;

    OpBuilder builder(&getContext());
    OwningOpRef<ModuleOp> scratch(ModuleOp::create(module.getLoc()));
    builder.setInsertionPointToEnd(scratch->getBody());
    auto kernels =
        gpu::GPUModuleOp::create(builder, module.getLoc(), "gpu_kernels");
    llvm::StringMap<int64_t> threads;
    for (plan::KernelOp kernel : sources) {
      auto op = dyn_cast<llm::RowwiseOp>(kernel.getSource());
      if (!op) {
        kernel.getSource()->emitOpError("has no GPU kernel");
        return signalPassFailure();
      }
      if (failed(emitGpuRowwise(builder, kernels, kernel.getSymName(), op)))
        return signalPassFailure();
      threads[kernel.getSymName()] = gpuRowwiseThreads(op);
    }
    auto object = compileGpuModule(*scratch, arch, format == "cubin");
    if (failed(object))
      return signalPassFailure();

    builder.setInsertionPoint(sources.front());
    auto code = plan::CodeObjectOp::create(
        builder, module.getLoc(), "gpu_kernels",
        object->isCubin ? plan::CodeFormat::Cubin : plan::CodeFormat::Ptx, arch,
        object->bytes);
    // Renames it should the name be taken.
    StringAttr name = SymbolTable(module).insert(code, code->getIterator());
    for (plan::KernelOp kernel : sources) {
      kernel.setCodeObjectAttr(FlatSymbolRefAttr::get(name));
      kernel.getBody().dropAllReferences();
      kernel.getBody().getBlocks().clear();
    }
    // The grid counts work items, which are rows: it is right already.
    module.walk([&](plan::LaunchOp launch) {
      if (auto it = threads.find(launch.getKernel()); it != threads.end())
        launch.setBlock({it->second, 1, 1});
    });
  }
};

} // namespace
