//===- GpuObject.cpp - Kernels as cubin or PTX ----------------------------===//
#include "passes/codegen/GpuObject.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/GPUToNVVM/GPUToNVVMPass.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/GPU/Transforms/Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVM/NVVM/Target.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Transforms/DialectConversion.h"

#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"

using namespace mlir;
using namespace llamac;

void llamac::registerGpuObjectDialects(DialectRegistry &registry) {
  registry.insert<arith::ArithDialect, cf::ControlFlowDialect, gpu::GPUDialect,
                  LLVM::LLVMDialect, math::MathDialect, memref::MemRefDialect,
                  NVVM::NVVMDialect, scf::SCFDialect, vector::VectorDialect>();
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registerNVVMDialectTranslation(registry);
  registerGPUDialectTranslation(registry);
  NVVM::registerNVVMTargetInterfaceExternalModels(registry);
  gpu::registerOffloadingLLVMTranslationInterfaceExternalModels(registry);
}

unsigned llamac::computeCapability(StringRef arch) {
  unsigned number = 0;
  if (!arch.consume_front("sm_"))
    return 0;
  arch.consume_back("a");
  return arch.getAsInteger(10, number) ? 0 : number;
}

bool llamac::isGpuArch(StringRef arch) {
  unsigned number = computeCapability(arch);
  return number >= 80 && number < 1000;
}

/// The folder above the bin that has ptxas; empty if there is none.
static std::string findToolkit() {
  llvm::SmallVector<std::string> folders;
  if (auto home = llvm::sys::Process::GetEnv("CUDA_HOME"))
    folders.push_back(*home + "/bin");
  folders.push_back(""); // PATH
  folders.push_back("/usr/local/cuda/bin");
  for (StringRef folder : folders) {
    auto ptxas = folder.empty()
                     ? llvm::sys::findProgramByName("ptxas")
                     : llvm::sys::findProgramByName("ptxas", {folder});
    if (ptxas)
      return llvm::sys::path::parent_path(llvm::sys::path::parent_path(*ptxas))
          .str();
  }
  return {};
}

/// arith.maxnumf and its like as instructions; upstream calls libdevice.
template <typename Source, typename Target>
struct ToInstruction : ConvertOpToLLVMPattern<Source> {
  using ConvertOpToLLVMPattern<Source>::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(Source op, typename Source::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<Target>(op, adaptor.getLhs(), adaptor.getRhs());
    return success();
  }
};

/// The gpu dialect to nvvm. Not upstream's pass: that would make calls of
/// libdevice of the square root and its like, which the GPU has instructions
/// for.
static LogicalResult lowerGpuOps(ModuleOp module) {
  MLIRContext *context = module.getContext();
  for (auto kernels : module.getOps<gpu::GPUModuleOp>()) {
    LLVMTypeConverter converter(context);
    configureGpuToNVVMTypeConverter(converter);
    RewritePatternSet patterns(context);
    populateGpuToNVVMConversionPatterns(converter, patterns);
    populateVectorToLLVMConversionPatterns(converter, patterns);
    patterns.add<ToInstruction<arith::MaxNumFOp, LLVM::MaxNumOp>,
                 ToInstruction<arith::MinNumFOp, LLVM::MinNumOp>>(
        converter, /*benefit=*/10);
    LLVMConversionTarget target(*context);
    configureGpuToNVVMConversionLegality(target);
    target.addLegalOp<LLVM::SqrtOp, LLVM::FAbsOp, LLVM::FCeilOp, LLVM::FFloorOp,
                      LLVM::RoundEvenOp>();
    if (failed(applyPartialConversion(kernels, target, std::move(patterns))))
      return failure();
  }
  return success();
}

FailureOr<GpuObject> llamac::compileGpuModule(ModuleOp module, StringRef arch,
                                              bool wantCubin) {
  std::string toolkit = wantCubin ? findToolkit() : std::string();
  GpuNVVMAttachTargetOptions target;
  target.chip = arch.str();
  target.optLevel = 3;
  GpuModuleToBinaryPassOptions binary;
  binary.toolkitPath = toolkit;
  binary.compilationTarget = toolkit.empty() ? "isa" : "bin";

  PassManager before(module.getContext(), ModuleOp::getOperationName());
  before.addPass(createGpuNVVMAttachTarget(target));
  before.addPass(createSCFToControlFlowPass());
  before.addPass(createConvertMathToLLVMPass());
  PassManager after(module.getContext(), ModuleOp::getOperationName());
  after.addPass(createArithToLLVMConversionPass());
  after.addPass(createConvertControlFlowToLLVMPass());
  after.addPass(createReconcileUnrealizedCastsPass());
  after.addPass(createGpuModuleToBinaryPass(binary));
  if (failed(before.run(module)) || failed(lowerGpuOps(module)) ||
      failed(after.run(module)))
    return failure();
  auto objects = llvm::to_vector(module.getOps<gpu::BinaryOp>());
  if (objects.size() != 1 || objects[0].getObjectsAttr().size() != 1) {
    module.emitError("no GPU code was generated");
    return failure();
  }
  auto object = cast<gpu::ObjectAttr>(objects[0].getObjectsAttr()[0]);
  return GpuObject{object.getObject().getValue().str(), !toolkit.empty()};
}
