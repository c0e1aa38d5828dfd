//===- CpuObject.cpp - Kernels as an ELF shared object --------------------===//
#include "passes/codegen/CpuObject.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVMPass.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"

#include "llvm/Analysis/TargetTransformInfo.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"

#include <mutex>

using namespace mlir;
using namespace llamac;

//===----------------------------------------------------------------------===//
// Target
//===----------------------------------------------------------------------===//

FailureOr<CpuTarget>
CpuTarget::resolve(StringRef cpu,
                   llvm::function_ref<InFlightDiagnostic()> emitError) {
  CpuTarget target;
  if (cpu == "native") {
    llvm::StringMap<bool> features = llvm::sys::getHostCPUFeatures();
    auto has = [&](std::initializer_list<StringRef> names) {
      return llvm::all_of(names,
                          [&](StringRef n) { return features.lookup(n); });
    };
    if (!has({"avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe"})) {
      emitError() << "this processor is below x86-64-v3 (AVX2, FMA)";
      return failure();
    }
    bool v4 = has({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"});
    target.arch = v4 ? "x86-64-v4" : "x86-64-v3";
    return target;
  }
  if (cpu != "x86-64-v3" && cpu != "x86-64-v4") {
    emitError() << "unknown CPU target '" << cpu
                << "': x86-64-v3, x86-64-v4 and native are known";
    return failure();
  }
  target.arch = cpu;
  return target;
}

static std::unique_ptr<llvm::TargetMachine>
createTargetMachine(const CpuTarget &target, std::string &error) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
  });
  llvm::Triple triple("x86_64-unknown-linux-gnu");
  const llvm::Target *x86 = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!x86)
    return nullptr;
  llvm::TargetOptions options;
  // Fuse multiply and add only where the instruction itself allows it.
  options.AllowFPOpFusion = llvm::FPOpFusion::Standard;
  return std::unique_ptr<llvm::TargetMachine>(x86->createTargetMachine(
      triple, target.arch, /*Features=*/"", options, llvm::Reloc::PIC_,
      /*CodeModel=*/std::nullopt, llvm::CodeGenOptLevel::Default));
}

//===----------------------------------------------------------------------===//
// Kernel dialects to LLVM IR
//===----------------------------------------------------------------------===//

void llamac::registerCpuObjectDialects(DialectRegistry &registry) {
  registry
      .insert<arith::ArithDialect, cf::ControlFlowDialect, LLVM::LLVMDialect,
              math::MathDialect, scf::SCFDialect, vector::VectorDialect>();
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
}

static LogicalResult lowerToLLVMDialect(ModuleOp module) {
  PassManager passes(module.getContext());
  passes.addPass(createSCFToControlFlowPass());
  passes.addPass(createConvertVectorToLLVMPass());
  passes.addPass(createConvertMathToLLVMPass());
  passes.addPass(createArithToLLVMConversionPass());
  passes.addPass(createConvertControlFlowToLLVMPass());
  return passes.run(module);
}

static std::unique_ptr<llvm::Module> translate(ModuleOp module,
                                               llvm::LLVMContext &context,
                                               llvm::TargetMachine &machine) {
  auto llvmModule = translateModuleToLLVMIR(module, context, "kernels");
  if (!llvmModule)
    return nullptr;
  llvmModule->setSourceFileName("kernels");
  llvmModule->setDataLayout(machine.createDataLayout());
  llvmModule->setTargetTriple(machine.getTargetTriple());
  for (llvm::Function &function : *llvmModule) {
    if (function.isDeclaration())
      continue;
    // Nothing but the kernels is there to be called: no memcpy or memset may be
    // made of a loop, and nothing unwinds.
    function.addFnAttr("no-builtins");
    function.addFnAttr(llvm::Attribute::NoUnwind);
    // Without it LLVM prefers 256-bit registers on x86-64-v4.
    function.addFnAttr("prefer-vector-width", "512");
    function.addFnAttr("target-cpu", machine.getTargetCPU());
  }
  return llvmModule;
}

static void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager sccs;
  llvm::ModuleAnalysisManager modules;
  // The kernels are written in vectors of the right width already; what the
  // vectorizers and the unroller could add costs most of the compile time.
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = false;
  tuning.SLPVectorization = false;
  tuning.LoopUnrolling = false;
  tuning.LoopInterleaving = false;
  llvm::PassBuilder builder(&machine, tuning);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(sccs);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, sccs, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3)
      .run(module, modules);
}

//===----------------------------------------------------------------------===//
// LLVM IR to a shared object
//===----------------------------------------------------------------------===//

static LogicalResult checkSelfContained(ModuleOp module, StringRef object) {
  auto file = llvm::object::ObjectFile::createObjectFile(
      llvm::MemoryBufferRef(object, "kernels"));
  if (!file)
    return module.emitError("unreadable object: ")
           << llvm::toString(file.takeError());
  for (const llvm::object::SymbolRef &symbol : (*file)->symbols()) {
    auto flags = symbol.getFlags();
    auto name = symbol.getName();
    if (!flags || !name) {
      llvm::consumeError(flags.takeError());
      llvm::consumeError(name.takeError());
      continue;
    }
    if ((*flags & llvm::object::SymbolRef::SF_Undefined) && !name->empty() &&
        *name != "_GLOBAL_OFFSET_TABLE_")
      return module.emitError("kernels need the external symbol '")
             << *name << "', but must stand alone";
  }
  return success();
}

static std::string findLinker() {
  llvm::SmallVector<StringRef> llvmFolder{"/usr/lib/llvm-22/bin"};
  for (StringRef name : {"ld.lld-22", "ld.lld", "ld"}) {
    if (auto path = llvm::sys::findProgramByName(name))
      return *path;
    if (auto path = llvm::sys::findProgramByName(name, llvmFolder))
      return *path;
  }
  return {};
}

static FailureOr<std::string> link(ModuleOp module, StringRef object) {
  std::string linker = findLinker();
  if (linker.empty()) {
    module.emitError("no linker: ld.lld (Debian package lld-22) or ld must be "
                     "on PATH");
    return failure();
  }
  llvm::SmallString<128> input, output, log;
  auto temporary = [](StringRef suffix, llvm::SmallString<128> &path) {
    return llvm::sys::fs::createTemporaryFile("llamac-kernels", suffix, path);
  };
  std::error_code error = temporary("o", input);
  llvm::FileRemover removeInput(input);
  if (!error)
    error = temporary("so", output);
  llvm::FileRemover removeOutput(output);
  if (!error)
    error = temporary("log", log);
  llvm::FileRemover removeLog(log);
  if (!error) {
    llvm::raw_fd_ostream stream(input, error);
    stream << object;
    stream.close();
    if (stream.has_error())
      error = stream.error();
    stream.clear_error();
  }
  if (error) {
    module.emitError("cannot write a temporary file: ") << error.message();
    return failure();
  }
  StringRef arguments[] = {
      linker,        "-shared",         "--no-undefined",   "-s", "-z",
      "noexecstack", "--build-id=none", "--hash-style=gnu", "-o", output,
      input};
  std::string message;
  int code = llvm::sys::ExecuteAndWait(linker, arguments, std::nullopt,
                                       {std::nullopt, log.str(), log.str()},
                                       /*SecondsToWait=*/60,
                                       /*MemoryLimit=*/0, &message);
  if (code != 0) {
    if (auto text = llvm::MemoryBuffer::getFile(log))
      message += (*text)->getBuffer();
    module.emitError("linking the kernels failed: ") << message;
    return failure();
  }
  auto bytes = llvm::MemoryBuffer::getFile(output);
  if (!bytes) {
    module.emitError("cannot read the linked kernels: ")
        << bytes.getError().message();
    return failure();
  }
  return (*bytes)->getBuffer().str();
}

FailureOr<std::string> llamac::compileToSharedObject(ModuleOp module,
                                                     const CpuTarget &target) {
  std::string error;
  auto machine = createTargetMachine(target, error);
  if (!machine) {
    module.emitError("cannot compile for x86: ") << error;
    return failure();
  }
  if (failed(lowerToLLVMDialect(module)))
    return failure();
  llvm::LLVMContext context;
  auto llvmModule = translate(module, context, *machine);
  if (!llvmModule)
    return failure();
  optimize(*llvmModule, *machine);

  llvm::SmallString<0> object;
  llvm::raw_svector_ostream stream(object);
  llvm::legacy::PassManager codegen;
  if (machine->addPassesToEmitFile(codegen, stream, nullptr,
                                   llvm::CodeGenFileType::ObjectFile)) {
    module.emitError("cannot emit x86 object code");
    return failure();
  }
  codegen.run(*llvmModule);
  if (failed(checkSelfContained(module, object)))
    return failure();
  return link(module, object);
}
