// What no annotation shows: which loops each device runs for itself, and how
// the others are put together. The loops of docs/sharding.md, in its order.
#include "dialects/llm/LlmDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Shard/Interfaces/ShardingInterface.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

#include <map>

using namespace mlir;

namespace {

/// "parallel sum generic": one word for each loop.
std::string loopsOf(Operation *op) {
  auto sharding = dyn_cast<shard::ShardingInterface>(op);
  if (!sharding)
    return "no interface";
  std::string text;
  unsigned reductions = 0;
  auto kinds = sharding.getReductionLoopIteratorKinds();
  for (utils::IteratorType type : sharding.getLoopIteratorTypes()) {
    text += text.empty() ? "" : " ";
    if (type == utils::IteratorType::parallel)
      text += "parallel";
    else if (reductions < kinds.size())
      text += shard::stringifyReductionKind(kinds[reductions++]);
    else
      text += "reduction of no kind";
  }
  EXPECT_EQ(reductions, kinds.size()) << text;
  EXPECT_TRUE(sharding.verifyShardingInterfaceImpl().succeeded()) << text;
  return text;
}

constexpr char kOps[] = R"mlir(
func.func @ops(%ids: tensor<8xi32>, %table: tensor<128x64xf32>, %x: tensor<8x64xf32>, %w: tensor<64xf32>,
               %kv: tensor<8x32xf32>, %cu: tensor<3xi32>, %last: tensor<2xi32>, %random: tensor<2xi64>,
               %labels: tensor<8xi32>, %targets: tensor<8xf32>, %one: tensor<1xf32>, %z: tensor<8x1xf32>,
               %hyper: tensor<8xf64>) {
  %weight = llm.weight "w" : tensor<32x64xf32>
  %parameter = llm.parameter "p" init <zero, 0.0> : tensor<32x64xf32>
  %constant = llm.constant dense<[1, 2]> : tensor<2xi32> : tensor<2xi32>
  %pending = llm.pending_gradient "p" : tensor<32x64xf32>
  llm.gradient "p", %pending : tensor<32x64xf32>
  %embedding = llm.embedding %ids, %table : (tensor<8xi32>, tensor<128x64xf32>) -> tensor<8x64xf32>
  %cos, %sin = llm.rope_table %ids theta 5.0e+05 max_positions 128 : tensor<8xi32> -> tensor<8x8xf32>
  %norm = llm.rms_norm %x, %w eps 1.0e-05 : tensor<8x64xf32>, tensor<64xf32>
  %dnorm = llm.rms_norm_grad %x, %w, %x eps 1.0e-05 : tensor<8x64xf32>, tensor<64xf32>
  %linear = llm.linear %x, %weight : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  %matmul = llm.matmul %x, %weight transpose_b : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  %rope = llm.rope %x, %cos, %sin : tensor<8x64xf32>, tensor<8x8xf32>
  %out, %lse = llm.attention %x, %kv, %kv, %cu heads(4) kv_heads(2) scale 0.25
      : (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<3xi32>) -> (tensor<8x64xf32>, tensor<8x4xf32>)
  %dq, %dk, %dv = llm.attention_grad %x, %kv, %kv, %cu, %out, %lse, %x heads(4) kv_heads(2) scale 0.25
      : (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<3xi32>, tensor<8x64xf32>, tensor<8x4xf32>,
         tensor<8x64xf32>) -> (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>)
  %swiglu = llm.swiglu %x, %x : tensor<8x64xf32>
  %dgate, %dup = llm.swiglu_grad %x, %x, %x : tensor<8x64xf32>
  %add = llm.add %x, %x : tensor<8x64xf32>
  %gathered = llm.gather_rows %x, %last, %ids : (tensor<8x64xf32>, tensor<2xi32>, tensor<8xi32>) -> tensor<2x64xf32>
  %scattered = llm.scatter_rows %gathered, %ids : (tensor<2x64xf32>, tensor<8xi32>) -> tensor<8x64xf32>
  %dropout = llm.dropout %x, %random key "k" p 0.1 : tensor<8x64xf32>, tensor<2xi64>
  %loss = llm.cross_entropy %x, %labels, %one : tensor<8x64xf32>, tensor<8xi32>, tensor<1xf32> -> tensor<1xf32>
  %dlogits = llm.cross_entropy_grad %x, %labels, %one, %one
      : tensor<8x64xf32>, tensor<8xi32>, tensor<1xf32>, tensor<1xf32>
  %mse = llm.mse %z, %targets, %one : tensor<8x1xf32>, tensor<8xf32>, tensor<1xf32> -> tensor<1xf32>
  %dz = llm.mse_grad %z, %targets, %one, %one : tensor<8x1xf32>, tensor<8xf32>, tensor<1xf32>, tensor<1xf32>
  %norm_of_all, %rate = llm.optimizer_step ["p"] %hyper : tensor<8xf64> -> tensor<1xf32>, tensor<1xf32>
  return
}
func.func @accumulate(%x: tensor<8x64xf32>, %w: tensor<64x32xf32>, %c: tensor<8x32xf32>) {
  %0 = llm.matmul %x, %w accumulate(%c) : (tensor<8x64xf32>, tensor<64x32xf32>, tensor<8x32xf32>) -> tensor<8x32xf32>
  return
})mlir";

class LlmShardingTest : public ::testing::Test {
protected:
  LlmShardingTest() {
    context.loadDialect<llm::LlmDialect, func::FuncDialect>();
    module = parseSourceString<ModuleOp>(kOps, &context);
  }
  /// Loops of each op of the function by the op's name.
  std::map<std::string, std::string> loopsIn(StringRef function) {
    std::map<std::string, std::string> loops;
    for (Operation &op : module->lookupSymbol<func::FuncOp>(function).getOps())
      if (isa<llm::LlmDialect>(op.getDialect()))
        loops[op.getName().stripDialect().str()] = loopsOf(&op);
    return loops;
  }
  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

TEST_F(LlmShardingTest, LoopsOfEveryOp) {
  ASSERT_TRUE(module);
  std::map<std::string, std::string> expected = {
      {"weight", "parallel parallel"},
      {"parameter", "parallel parallel"},
      {"constant", "parallel"},
      {"pending_gradient", "parallel parallel"},
      {"gradient", "parallel parallel"},
      {"swiglu", "parallel parallel"},
      {"swiglu_grad", "parallel parallel"},
      {"add", "parallel parallel"},
      {"embedding", "parallel sum parallel"},
      {"gather_rows", "parallel sum parallel"},
      {"scatter_rows", "parallel sum parallel"},
      {"dropout", "parallel parallel generic"},
      {"rope_table", "parallel generic"},
      {"rope", "parallel parallel generic"},
      {"rms_norm", "parallel generic"},
      {"rms_norm_grad", "parallel generic"},
      {"linear", "parallel parallel sum"},
      {"matmul", "parallel parallel sum"},
      {"attention", "generic parallel generic"},
      {"attention_grad", "generic parallel generic"},
      {"cross_entropy", "sum generic generic"},
      {"cross_entropy_grad", "parallel generic generic"},
      {"mse", "sum generic generic"},
      {"mse_grad", "parallel generic generic"},
      {"optimizer_step", "generic generic"},
  };
  EXPECT_EQ(loopsIn("ops"), expected);
}

TEST_F(LlmShardingTest, WhatIsAccumulatedOnceIsNoTermOfASplitSum) {
  ASSERT_TRUE(module);
  EXPECT_EQ(loopsIn("accumulate")["matmul"], "parallel parallel generic");
}

} // namespace
