// The pass merges or leaves alone; it cannot fail. Ops whose parts do not fit
// together are refused before it.
// RUN: llama-opt %s --fuse-rowwise -split-input-file -verify-diagnostics

#rc = affine_map<(r, c) -> (r, c)>
func.func @f(%a: tensor<8x4xf32>) -> tensor<8x4xf32> {
  // expected-error @+1 {{'llm.rowwise' op has 1 inputs, 2 maps, 1 index entries and 1 body arguments}}
  %h = llm.rowwise rows(8) cols(4) ins(%a : tensor<8x4xf32>) maps [#rc, #rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<8x4xf32>) {
  ^bb0(%x: f32):
    llm.yield %x : f32
  }
  return %h : tensor<8x4xf32>
}

// -----

// Reads past the end of its input.
#rc = affine_map<(r, c) -> (r, c)>
func.func @f(%a: tensor<8x3xf32>) -> tensor<8x4xf32> {
  // expected-error @+1 {{'llm.rowwise' op input 0: index d1 reaches 3 in a dimension of 3}}
  %h = llm.rowwise rows(8) cols(4) ins(%a : tensor<8x3xf32>) maps [#rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<8x4xf32>) {
  ^bb0(%x: f32):
    llm.yield %x : f32
  }
  return %h : tensor<8x4xf32>
}
