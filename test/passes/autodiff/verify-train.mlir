// One gradient and one update for every parameter of a train program, a gradient
// alone while accumulating, neither in evaluation: such a module is marked.
// RUN: llama-opt %s --autodiff-verify | FileCheck %s

// CHECK: module attributes {llm.level = "train"} {
module attributes {llm.level = "graph"} {
func.func @train_8(%g: tensor<2x4xf32>, %hyper: tensor<8xf64>) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<2x4xf32>
  // CHECK: llm.gradient "a"
  llm.gradient "a", %g : tensor<2x4xf32>
  // CHECK: llm.optimizer_step ["a"]
  %norm, %lr = llm.optimizer_step ["a"] %hyper : tensor<8xf64> -> tensor<1xf32>, tensor<1xf32>
  return
}
func.func @accumulate_8(%g: tensor<2x4xf32>) attributes {llm.program = #llm.program<accumulate, tokens = 8, sequences = 8>} {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<2x4xf32>
  llm.gradient "a", %g : tensor<2x4xf32>
  return
}
func.func @evaluate_8() attributes {llm.program = #llm.program<evaluate, tokens = 8, sequences = 8>} {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<2x4xf32>
  return
}
}
