//===- NativeKernel.cpp - One op as native code in this process -----------===//
#include "test/passes/codegen/NativeKernel.h"

#include "passes/codegen/CpuAttention.h"
#include "passes/codegen/CpuObject.h"
#include "passes/codegen/CpuRowwise.h"
#include "passes/codegen/CpuTriplets.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace mlir;

/// Object code and diagnostics of a source.
static std::pair<std::string, std::string> compile(const std::string &source,
                                                   const std::string &arch) {
  std::pair<std::string, std::string> result;
  DialectRegistry registry;
  registry.insert<func::FuncDialect, llm::LlmDialect>();
  llamac::registerCpuObjectDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    result.second += diagnostic.str() + "\n";
  });
  auto module = parseSourceString<ModuleOp>(source, &context);
  if (!module)
    return result;

  OpBuilder builder(&context);
  llvm::SmallVector<llm::RowwiseOpInterface> graphOps;
  module->walk([&](llm::RowwiseOpInterface op) { graphOps.push_back(op); });
  for (llm::RowwiseOpInterface op : graphOps) {
    builder.setInsertionPoint(op);
    auto values = op.lowerToRowwise(builder);
    if (failed(values))
      return result;
    op->replaceAllUsesWith(ValueRange(*values));
    op->erase();
  }

  auto cpu = llamac::CpuTarget::resolve(
      arch, [&] { return emitError(module->getLoc()); });
  if (failed(cpu))
    return result;
  OwningOpRef<ModuleOp> kernels(ModuleOp::create(module->getLoc()));
  bool found = false;
  LogicalResult status = success();
  module->walk([&](Operation *op) {
    if (found)
      return;
    found = true;
    if (auto rowwise = dyn_cast<llm::RowwiseOp>(op))
      status = llamac::emitCpuRowwise(builder, *kernels, "kernel", rowwise);
    else if (auto grams = dyn_cast<llm::TripletGramsOp>(op))
      llamac::emitCpuTripletGrams(builder, *kernels, "kernel", grams);
    else if (auto finish = dyn_cast<llm::TripletFinishOp>(op))
      llamac::emitCpuTripletFinish(builder, *kernels, "kernel", finish);
    else if (auto scores = dyn_cast<llm::TripletScoresOp>(op))
      llamac::emitCpuTripletScores(builder, *kernels, "kernel", scores);
    else if (auto mask = dyn_cast<llm::TripletMaskOp>(op))
      llamac::emitCpuTripletMask(builder, *kernels, "kernel", mask);
    else if (auto attention = dyn_cast<llm::AttentionOp>(op))
      status = llamac::emitCpuAttention(builder, *kernels, "kernel", attention,
                                        *cpu);
    else if (auto grad = dyn_cast<llm::AttentionGradOp>(op))
      status =
          llamac::emitCpuAttentionGrad(builder, *kernels, "kernel", grad, *cpu);
    else
      found = false;
  });
  if (!found)
    result.second += "no op has a kernel\n";
  if (!found || failed(status))
    return result;
  auto object = llamac::compileToSharedObject(*kernels, *cpu);
  if (succeeded(object))
    result.first = *object;
  return result;
}

NativeKernel::NativeKernel(const std::string &source, const std::string &arch) {
  std::tie(bytes, problem) = compile(source, arch);
  if (bytes.empty())
    return;
  file = memfd_create("kernels", MFD_CLOEXEC);
  if (write(file, bytes.data(), bytes.size()) !=
      static_cast<ssize_t>(bytes.size())) {
    problem = "cannot write the object";
    return;
  }
  std::string path = "/proc/self/fd/" + std::to_string(file);
  library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library)
    function = reinterpret_cast<Function>(dlsym(library, "kernel"));
  if (!function)
    problem = dlerror();
}

NativeKernel::~NativeKernel() {
  if (library)
    dlclose(library);
  if (file >= 0)
    close(file);
}

std::vector<std::string> runnableArchitectures() {
  std::vector<std::string> result;
  if (__builtin_cpu_supports("x86-64-v3"))
    result.push_back("x86-64-v3");
  if (__builtin_cpu_supports("x86-64-v4"))
    result.push_back("x86-64-v4");
  return result;
}

std::string tensor(std::initializer_list<int64_t> shape, const char *element) {
  std::string text = "tensor<";
  for (int64_t size : shape)
    text += std::to_string(size) + "x";
  return text + element + ">";
}
