// No grid, two grids, annotations that are left, collectives among one device.
// RUN: llama-opt %s --shard-verify -split-input-file -verify-diagnostics

// expected-error @+1 {{level sharded has exactly one shard.grid}}
module {
}

// -----

// expected-error @+1 {{level sharded has exactly one shard.grid}}
module {
  shard.grid @grid(shape = 1x1)
  shard.grid @other(shape = 1x1)
}

// -----

shard.grid @grid(shape = 2x1)
func.func @train_8(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  // expected-error @+1 {{is an annotation nobody partitioned}}
  %s = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %y = shard.shard %x to %s : tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}

// -----

shard.grid @grid(shape = 1x1)
func.func @train_8(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  // expected-error @+1 {{has no meaning on one device}}
  %s = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  return %x : tensor<8x4xf32>
}

// -----

shard.grid @grid(shape = 1x1)
func.func @train_8(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  // expected-error @+1 {{has no meaning on one device}}
  %y = shard.all_reduce %x on @grid grid_axes = [0] : tensor<8x4xf32> -> tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}
