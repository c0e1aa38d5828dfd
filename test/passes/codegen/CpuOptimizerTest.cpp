//===- CpuOptimizerTest.cpp - The optimizer's kernels, against float64 ----===//
//
// fuse-lower-optimizer on one parameter; its schedule and AdamW kernels run
// natively.
//
//===----------------------------------------------------------------------===//
#include "test/passes/codegen/KernelRunner.h"

#include "dialects/llm/LlmDialect.h"
#include "passes/fuse/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <cstring>
#include <limits>

using namespace mlir;

namespace {

constexpr int64_t kSize = 2048; // two rows of the flat buffers
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// The kernel of that llm.source, as a function of its inputs.
std::string kernelSource(StringRef source) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  context.loadDialect<func::FuncDialect, llm::LlmDialect>();
  auto module = parseSourceString<ModuleOp>(R"(
    func.func @train(%hyper: tensor<8xf64>) -> (tensor<1xf32>, tensor<1xf32>) {
      %a = llm.parameter "a" init <zero, 0.0> : tensor<32x64xf32>
      %n, %r = llm.optimizer_step ["a"] %hyper : tensor<8xf64> -> tensor<1xf32>, tensor<1xf32>
      return %n, %r : tensor<1xf32>, tensor<1xf32>
    })",
                                            &context);
  PassManager pm(&context);
  pm.addPass(llamac::createLowerOptimizer());
  if (!module || failed(pm.run(*module)))
    return "";
  std::string text;
  module->walk([&](llm::RowwiseOp op) {
    auto name = op->getAttrOfType<StringAttr>(llm::LlmDialect::kSourceAttr);
    if (!name || name.getValue() != source)
      return;
    OpBuilder b(&context);
    OwningOpRef<ModuleOp> alone(ModuleOp::create(op.getLoc()));
    b.setInsertionPointToEnd(alone->getBody());
    auto function = func::FuncOp::create(
        b, op.getLoc(), "f", b.getFunctionType(op->getOperandTypes(), {}));
    Block *body = function.addEntryBlock();
    b.setInsertionPointToEnd(body);
    IRMapping map;
    for (auto [i, operand] : llvm::enumerate(op->getOperands()))
      map.map(operand, body->getArgument(static_cast<unsigned>(i)));
    // Inputs that are the same value have different arguments.
    Operation *copy = b.clone(*op, map);
    for (auto [i, argument] : llvm::enumerate(body->getArguments()))
      copy->setOperand(static_cast<unsigned>(i), argument);
    func::ReturnOp::create(b, op.getLoc());
    llvm::raw_string_ostream(text) << *alone;
  });
  return text;
}

/// A parameter of kSize elements, what there is to it, and a step of both
/// kernels.
struct Optimizer {
  // learning rate, warmup, total, betas, eps, decay, max norm
  double hyper[8] = {1e-2, 2, 10, 0.9, 0.99, 1e-8, 0.1, 1.0};
  int64_t step = 4;
  double power1 = 0.6561, power2 = 0.96059601;
  std::vector<float> p = randomFloats(kSize, 1), g = randomFloats(kSize, 2),
                     m = randomFloats(kSize, 3, 0.1f),
                     v = randomFloats(kSize, 4, 0.1f);
  float rate = -1;

  Optimizer() {
    for (float &x : v)
      x = x * x;
  }

  void run(float norm) {
    static const KernelRunner schedule(kernelSource("schedule"));
    static const KernelRunner adamw(kernelSource("adamw"));
    float coefficients[16] = {};
    std::vector<void *> in(8, hyper);
    in.insert(in.end(), {&step, &power1, &power2, &norm});
    in.insert(in.end(), {coefficients, &rate, &step, &power1, &power2});
    schedule.run(in, 0, 1);
    std::vector<void *> all{p.data(), g.data(), m.data(), v.data()};
    all.insert(all.end(), 9, coefficients);
    all.insert(all.end(), {p.data(), m.data(), v.data()});
    adamw.run(all, 0, kSize / 1024);
  }
};

bool sameBytes(const std::vector<float> &a, const std::vector<float> &b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST(CpuOptimizer, StepOfTorchAdamW) {
  Optimizer o;
  auto before = o;
  float norm = 2.5f;
  o.run(norm);
  EXPECT_EQ(o.step, 5);
  double power1 = before.power1 * 0.9, power2 = before.power2 * 0.99;
  EXPECT_DOUBLE_EQ(o.power1, power1);
  EXPECT_DOUBLE_EQ(o.power2, power2);
  double rate = 1e-2 * (10.0 - 4) / (10 - 2), clip = 1 / (2.5 + 1e-6);
  EXPECT_FLOAT_EQ(o.rate, static_cast<float>(rate));
  for (int64_t i = 0; i < kSize; ++i) {
    double g = before.g[i] * clip;
    double m = 0.9 * before.m[i] + 0.1 * g;
    double v = 0.99 * before.v[i] + 0.01 * g * g;
    double p = before.p[i] * (1 - rate * 0.1) -
               rate * (m / (1 - power1)) / (std::sqrt(v / (1 - power2)) + 1e-8);
    ASSERT_NEAR(o.m[i], m, 1e-6) << i;
    ASSERT_NEAR(o.v[i], v, 1e-6) << i;
    ASSERT_NEAR(o.p[i], p, 1e-5) << i;
  }
}

TEST(CpuOptimizer, KeepsItsStateIfTheNormIsNotFinite) {
  for (float norm : {kNan, -kNan, kInf})
    for (double maxNorm : {1.0, 0.0}) { // clipping, or not
      Optimizer o;
      o.hyper[7] = maxNorm;
      o.g[3] = norm;
      o.g[1500] = -kInf;
      auto before = o;
      o.run(norm);
      EXPECT_TRUE(sameBytes(o.p, before.p)) << norm;
      EXPECT_TRUE(sameBytes(o.m, before.m)) << norm;
      EXPECT_TRUE(sameBytes(o.v, before.v)) << norm;
      EXPECT_EQ(o.step, before.step);
      EXPECT_EQ(o.power1, before.power1);
      EXPECT_EQ(o.power2, before.power2);
      // And goes on from there as if nothing had been.
      o.g = before.g = randomFloats(kSize, 5);
      o.run(0.5f);
      before.run(0.5f);
      EXPECT_TRUE(sameBytes(o.p, before.p)) << norm;
      EXPECT_EQ(o.step, 5);
    }
}

} // namespace
