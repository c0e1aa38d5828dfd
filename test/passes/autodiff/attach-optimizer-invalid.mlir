// The pass cannot fail: a program without parameters gets a step over none, and
// autodiff-differentiate has refused it before. What is refused is a malformed step.
// RUN: llama-opt %s --autodiff-attach-optimizer -split-input-file -verify-diagnostics

func.func @train_8(%hyper: tensor<7xf64>) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  // expected-error @+1 {{'llm.optimizer_step' op hyper is 'tensor<7xf64>', must have 8 elements}}
  %norm, %lr = llm.optimizer_step ["a"] %hyper : tensor<7xf64> -> tensor<1xf32>, tensor<1xf32>
  return
}

// -----

func.func @train_8(%hyper: tensor<8xf64>) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  // expected-error @+1 {{'llm.optimizer_step' op learning_rate is 'tensor<2xf32>', must have one element}}
  %norm, %lr = llm.optimizer_step ["a"] %hyper : tensor<8xf64> -> tensor<1xf32>, tensor<2xf32>
  return
}
