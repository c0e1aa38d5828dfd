// The pass cannot fail. Products that accumulate into something of another shape
// are refused before it.
// RUN: llama-opt %s --fuse-matmul-add -split-input-file -verify-diagnostics

func.func @f(%x: tensor<8x4xf32>, %w: tensor<6x4xf32>, %c: tensor<8x4xf32>) -> tensor<8x6xf32> {
  // expected-error @+1 {{'llm.matmul' op accumulates into 'tensor<8x4xf32>' but the result is 'tensor<8x6xf32>'}}
  %y = llm.matmul %x, %w accumulate(%c) transpose_b : (tensor<8x4xf32>, tensor<6x4xf32>, tensor<8x4xf32>) -> tensor<8x6xf32>
  return %y : tensor<8x6xf32>
}

// -----

func.func @f(%x: tensor<8x4xf32>, %w: tensor<6x4xf32>) -> tensor<8x6xf32> {
  // expected-error @+1 {{'llm.matmul' op inner sizes differ: a has 4 and b has 6}}
  %y = llm.matmul %x, %w : (tensor<8x4xf32>, tensor<6x4xf32>) -> tensor<8x6xf32>
  return %y : tensor<8x6xf32>
}
