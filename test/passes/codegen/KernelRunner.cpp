//===- KernelRunner.cpp - Compiles one op to native code and calls it -----===//
#include "test/passes/codegen/KernelRunner.h"

#include "passes/codegen/CpuAttention.h"
#include "passes/codegen/CpuObject.h"
#include "passes/codegen/CpuRowwise.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace mlir;

namespace {

struct Compiled {
  std::string object, diagnostics;
};

Compiled compile(const std::string &source, const std::string &arch) {
  Compiled result;
  DialectRegistry registry;
  registry.insert<func::FuncDialect, llm::LlmDialect>();
  llamac::registerCpuObjectDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    result.diagnostics += diagnostic.str() + "\n";
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
    result.diagnostics += "no op has a kernel\n";
  if (!found || failed(status))
    return result;
  auto object = llamac::compileToSharedObject(*kernels, *cpu);
  if (succeeded(object))
    result.object = *object;
  return result;
}

} // namespace

KernelRunner::KernelRunner(const std::string &source, const std::string &arch) {
  Compiled compiled = compile(source, arch);
  bytes = compiled.object;
  if (bytes.empty()) {
    ADD_FAILURE() << compiled.diagnostics << "in\n" << source;
    return;
  }
  load();
}

void KernelRunner::load() {
  file = memfd_create("kernels", MFD_CLOEXEC);
  ASSERT_EQ(write(file, bytes.data(), bytes.size()),
            static_cast<ssize_t>(bytes.size()));
  std::string path = "/proc/self/fd/" + std::to_string(file);
  library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  function = reinterpret_cast<Function>(dlsym(library, "kernel"));
  ASSERT_NE(function, nullptr) << dlerror();
}

KernelRunner::~KernelRunner() {
  if (library)
    dlclose(library);
  if (file >= 0)
    close(file);
}

void KernelRunner::run(std::vector<void *> buffers, int64_t begin, int64_t end,
                       std::vector<int64_t> scalars) const {
  ASSERT_NE(function, nullptr);
  function(buffers.data(), scalars.data(), begin, end);
}

std::string compileError(const std::string &source) {
  Compiled compiled = compile(source, "x86-64-v3");
  return compiled.object.empty() ? compiled.diagnostics : "";
}

std::vector<std::string> runnableArchitectures() {
  std::vector<std::string> result;
  if (__builtin_cpu_supports("x86-64-v3"))
    result.push_back("x86-64-v3");
  if (__builtin_cpu_supports("x86-64-v4"))
    result.push_back("x86-64-v4");
  return result;
}

std::vector<float> randomFloats(size_t count, unsigned seed, float scale) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(count);
  for (float &v : values)
    v = normal(engine);
  return values;
}

std::string tensor(std::initializer_list<int64_t> shape, const char *element) {
  std::string text = "tensor<";
  for (int64_t size : shape)
    text += std::to_string(size) + "x";
  return text + element + ">";
}
