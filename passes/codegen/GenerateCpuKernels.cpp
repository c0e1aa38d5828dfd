//===- GenerateCpuKernels.cpp - Compile a plan's kernels for x86-64 -------===//
#include "passes/codegen/Passes.h"

#include "dialects/plan/PlanDialect.h"
#include "passes/codegen/CpuAttention.h"
#include "passes/codegen/CpuFoldFactors.h"
#include "passes/codegen/CpuObject.h"
#include "passes/codegen/CpuRowwise.h"
#include "passes/codegen/CpuTriplets.h"

#include "mlir/IR/SymbolTable.h"

#include "llvm/ADT/TypeSwitch.h"

namespace llamac {
#define GEN_PASS_DEF_GENERATECPUKERNELS
#include "passes/codegen/Passes.h.inc"
} // namespace llamac

using namespace mlir;
using namespace llamac;

namespace {

LogicalResult emitKernel(OpBuilder &builder, ModuleOp kernels,
                         plan::KernelOp kernel, const CpuTarget &cpu) {
  StringRef symbol = kernel.getSymName();
  return TypeSwitch<Operation *, LogicalResult>(kernel.getSource())
      .Case([&](llm::RowwiseOp op) {
        return emitCpuRowwise(builder, kernels, symbol, op);
      })
      .Case([&](llm::AttentionOp op) {
        return emitCpuAttention(builder, kernels, symbol, op, cpu);
      })
      .Case([&](llm::AttentionGradOp op) {
        return emitCpuAttentionGrad(builder, kernels, symbol, op, cpu);
      })
      .Case([&](llm::FoldIntoOp op) {
        return emitCpuFoldFactors(builder, kernels, symbol, op);
      })
      .Case([&](llm::TripletGramsOp op) {
        return success(emitCpuTripletGrams(builder, kernels, symbol, op));
      })
      .Case([&](llm::TripletFinishOp op) {
        return success(emitCpuTripletFinish(builder, kernels, symbol, op));
      })
      .Case([&](llm::TripletScoresOp op) {
        return success(emitCpuTripletScores(builder, kernels, symbol, op));
      })
      .Case([&](llm::TripletMaskOp op) {
        return success(emitCpuTripletMask(builder, kernels, symbol, op));
      })
      .Default(
          [&](Operation *op) { return op->emitOpError("has no CPU kernel"); });
}

struct GenerateCpuKernels
    : public llamac::impl::GenerateCpuKernelsBase<GenerateCpuKernels> {
  using GenerateCpuKernelsBase::GenerateCpuKernelsBase;

  void getDependentDialects(DialectRegistry &registry) const override {
    registerCpuObjectDialects(registry);
    registry.insert<plan::PlanDialect>();
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    llvm::SmallVector<plan::KernelOp> sources;
    for (auto kernel : module.getOps<plan::KernelOp>())
      if (!kernel.getCodeObjectAttr() && kernel.getSource())
        sources.push_back(kernel);
    if (sources.empty())
      return;
    auto target = CpuTarget::resolve(cpu, [&] { return module.emitError(); });
    if (failed(target))
      return signalPassFailure();

    OpBuilder builder(&getContext());
    OwningOpRef<ModuleOp> kernels(ModuleOp::create(module.getLoc()));
    for (plan::KernelOp kernel : sources)
      if (failed(emitKernel(builder, *kernels, kernel, *target)))
        return signalPassFailure();
    auto bytes = compileToSharedObject(*kernels, *target);
    if (failed(bytes))
      return signalPassFailure();

    builder.setInsertionPoint(sources.front());
    auto object = plan::CodeObjectOp::create(
        builder, module.getLoc(), "cpu_kernels",
        plan::CodeFormat::ElfSharedObject, target->arch, *bytes);
    // Renames it should the name be taken.
    StringAttr name = SymbolTable(module).insert(object, object->getIterator());
    for (plan::KernelOp kernel : sources) {
      kernel.setCodeObjectAttr(FlatSymbolRefAttr::get(name));
      kernel.getBody().dropAllReferences();
      kernel.getBody().getBlocks().clear();
    }
  }
};

} // namespace
