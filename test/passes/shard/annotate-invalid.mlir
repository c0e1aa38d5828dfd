// Grids that cannot be had, tensors without equal parts.
// RUN: llama-opt %s --shard-annotate="tp=4" -split-input-file -verify-diagnostics
// RUN: not llama-opt %s --shard-annotate="dp=0" 2>&1 | FileCheck %s --check-prefix=ZERO
// RUN: not llama-opt %s --shard-annotate="tp=-3" 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// RUN: not llama-opt %s --shard-annotate="dp=4294967296 tp=4294967296" 2>&1 | FileCheck %s --check-prefix=HUGE

// ZERO: error: a grid has from 1 to 1048576 devices, not dp0,tp1
// NEGATIVE: error: a grid has from 1 to 1048576 devices, not dp1,tp-3
// HUGE: error: a grid has from 1 to 1048576 devices, not dp4294967296,tp4294967296

func.func @train_8(%x: tensor<8x6xf32> {llm.input = "x"}) -> (tensor<8x4xf32> {llm.output = "y"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  // expected-error @+1 {{tensor 'model.layers.0.mlp.down_proj.weight'}}
  %w = llm.weight "model.layers.0.mlp.down_proj.weight" : tensor<4x6xf32>
  %y = llm.linear %x, %w : (tensor<8x6xf32>, tensor<4x6xf32>) -> tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}

// -----

// expected-error @+1 {{has a shard.grid already}}
module {
  shard.grid @grid(shape = 1x2)
}
