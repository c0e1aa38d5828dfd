// The pass rewrites what it can and cannot fail; a gather that does not fit its
// index is refused before it runs.
// RUN: llama-opt %s --graph-narrow-to-pooled -split-input-file -verify-diagnostics

func.func @f(%x: tensor<?x4xf32>, %last: tensor<2xi32>, %pool: tensor<?xi32>) -> tensor<3x4xf32> {
  // expected-error @+1 {{'llm.gather_rows' op index has 2 rows but result has 3}}
  %p = llm.gather_rows %x, %last, %pool : (tensor<?x4xf32>, tensor<2xi32>, tensor<?xi32>) -> tensor<3x4xf32>
  return %p : tensor<3x4xf32>
}

// -----

func.func @f(%x: tensor<8x4xf32>, %last: tensor<2xi32>, %pool: tensor<9xi32>) -> tensor<2x4xf32> {
  // expected-error @+1 {{'llm.gather_rows' op x has 8 rows but inverse has 9}}
  %p = llm.gather_rows %x, %last, %pool : (tensor<8x4xf32>, tensor<2xi32>, tensor<9xi32>) -> tensor<2x4xf32>
  return %p : tensor<2x4xf32>
}
