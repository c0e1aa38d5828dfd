// The pass cannot fail: every linear layer that the verifier lets through is a
// product. These it does not let through.
// RUN: llama-opt %s --fuse-lower-linear -split-input-file -verify-diagnostics

func.func @f(%x: tensor<8x4xf32>, %w: tensor<4x6xf32>) -> tensor<8x6xf32> {
  // expected-error @+1 {{'llm.linear' op x has 4 columns but weight takes 6}}
  %y = llm.linear %x, %w : (tensor<8x4xf32>, tensor<4x6xf32>) -> tensor<8x6xf32>
  return %y : tensor<8x6xf32>
}

// -----

func.func @f(%x: tensor<8x4xf32>, %w: tensor<?x4xf32>) -> tensor<8x6xf32> {
  // expected-error @+1 {{'llm.linear' op weight is 'tensor<?x4xf32>': its sizes must be static}}
  %y = llm.linear %x, %w : (tensor<8x4xf32>, tensor<?x4xf32>) -> tensor<8x6xf32>
  return %y : tensor<8x6xf32>
}
