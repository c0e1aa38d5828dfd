//===- GenerateGpuKernels.cpp - Compile a plan's kernels for NVIDIA GPUs --===//
#include "passes/codegen/Passes.h"

#include "dialects/plan/PlanDialect.h"
#include "passes/codegen/GpuObject.h"
#include "passes/codegen/GpuRowwise.h"

#include "mlir/IR/SymbolTable.h"

#include <limits>

namespace llamac {
#define GEN_PASS_DEF_GENERATEGPUKERNELS
#include "passes/codegen/Passes.h.inc"
} // namespace llamac

using namespace mlir;
using namespace llamac;

/// Bytes that the address of every buffer of a kernel, in all its launches, is
/// a multiple of; as far as 16.
static llvm::StringMap<llvm::SmallVector<int64_t>>
argumentAlignments(ModuleOp module) {
  llvm::StringMap<int64_t> allocations;
  for (auto allocation : module.getOps<plan::AllocationOp>())
    allocations[allocation.getSymName()] = allocation.getAlignment();
  llvm::StringMap<llvm::SmallVector<int64_t>> alignments;
  module.walk([&](plan::LaunchOp launch) {
    auto &of = alignments[launch.getKernel()];
    of.resize(launch.getInputs().size() + launch.getOutputs().size(), 16);
    llvm::SmallVector<Value> buffers(launch.getInputs());
    llvm::append_range(buffers, launch.getOutputs());
    for (auto [alignment, value] : llvm::zip(of, buffers)) {
      int64_t start = 0; // of a view, in bytes
      if (auto view = value.getDefiningOp<plan::ViewOp>()) {
        auto type = cast<RankedTensorType>(view.getType());
        start = static_cast<int64_t>(view.getOffset()) *
                plan::elementBytes(type.getElementType());
        value = view.getSource();
      }
      auto buffer = value.getDefiningOp<plan::BufferOp>();
      int64_t bits = start | alignment |
                     allocations.lookup(buffer.getAllocation()) |
                     static_cast<int64_t>(buffer.getOffset().value_or(0));
      alignment = bits & -bits;
    }
  });
  return alignments;
}

/// From a grid of rows to one of blocks.
static WalkResult place(plan::LaunchOp launch, const GpuRowwiseShape &shape,
                        const GpuRowwiseOptions &options) {
  int64_t rows = 1;
  for (int64_t size : launch.getGrid())
    rows *= size;
  if (rows * shape.chunks > std::numeric_limits<int32_t>::max())
    return launch.emitOpError("has ")
           << rows << " rows of " << shape.cols
           << " columns: row kernels for GPUs count parts of rows in 31 bits";
  launch.setGrid({shape.grid(rows), 1, 1});
  launch.setBlock({shape.blockThreads(), 1, 1});
  if (shape.takesRows())
    launch.setScalars({rows});
  if (options.programmatic && launch.getWaits().empty())
    launch.setProgrammatic(true);
  return WalkResult::advance();
}

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
    GpuRowwiseOptions rowwise;
    rowwise.programmatic = computeCapability(arch) >= 90;
    llvm::StringMap<llvm::SmallVector<int64_t>> alignments =
        argumentAlignments(module);
    llvm::StringMap<GpuRowwiseShape> shapes;
    for (plan::KernelOp kernel : sources) {
      auto op = dyn_cast<llm::RowwiseOp>(kernel.getSource());
      if (!op) {
        kernel.getSource()->emitOpError("has no GPU kernel");
        return signalPassFailure();
      }
      rowwise.alignments = alignments.lookup(kernel.getSymName());
      rowwise.sum.reset();
      if (auto sums = kernel.getSums())
        rowwise.sum = {static_cast<unsigned>((*sums)[0]), (*sums)[1]};
      auto made =
          emitGpuRowwise(builder, kernels, kernel.getSymName(), op, rowwise);
      if (failed(made))
        return signalPassFailure();
      shapes[kernel.getSymName()] = made->shape;
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
    WalkResult result = module.walk([&](plan::LaunchOp launch) {
      auto it = shapes.find(launch.getKernel());
      return it == shapes.end() ? WalkResult::advance()
                                : place(launch, it->second, rowwise);
    });
    if (result.wasInterrupted())
      return signalPassFailure();
  }
};

} // namespace
