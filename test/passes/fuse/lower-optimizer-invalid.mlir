// A step without its eight numbers.
// RUN: llama-opt %s --fuse-lower-optimizer -split-input-file -verify-diagnostics

func.func @train_8(%hyper: tensor<?xf64>) -> (tensor<1xf32>, tensor<1xf32>) {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<20x100xf32>
  // expected-error @+1 {{'llm.optimizer_step' op hyper is 'tensor<?xf64>', must have 8 elements}}
  %norm, %lr = llm.optimizer_step ["a"] %hyper : tensor<?xf64> -> tensor<1xf32>, tensor<1xf32>
  return %norm, %lr : tensor<1xf32>, tensor<1xf32>
}

// -----

func.func @train_8(%hyper: tensor<8xf64>) -> (tensor<1xf32>, tensor<1xf32>) {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<20x100xbf16>
  // expected-error @+1 {{'llm.optimizer_step' op updates 'a' of type 'tensor<20x100xbf16>': AdamW goes over float32 only}}
  %norm, %lr = llm.optimizer_step ["a"] %hyper : tensor<8xf64> -> tensor<1xf32>, tensor<1xf32>
  return %norm, %lr : tensor<1xf32>, tensor<1xf32>
}
