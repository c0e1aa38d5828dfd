// Shapes that are not known have no loop bounds; a malformed rowwise op is refused
// before anything runs.
// RUN: llama-opt %s --fuse-lower-to-rowwise -split-input-file -verify-diagnostics

func.func @f(%a: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{needs static shapes to become rowwise}}
  %s = llm.add %a, %a : tensor<?x4xf32>
  return %s : tensor<?x4xf32>
}

// -----

func.func @f(%ids: tensor<?xi32>, %table: tensor<16x4xf32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{needs static shapes to become rowwise}}
  %s = llm.embedding %ids, %table : (tensor<?xi32>, tensor<16x4xf32>) -> tensor<?x4xf32>
  return %s : tensor<?x4xf32>
}
