// A grid of one device and no collective, or a grid of more with collectives:
// marked, and nothing else changed.
// RUN: llama-opt %s --shard-verify -split-input-file | FileCheck %s

// CHECK: module attributes {llm.level = "sharded"} {
// CHECK: shard.grid @grid(shape = 1x1)
module attributes {llm.level = "train"} {
  shard.grid @grid(shape = 1x1)
  // CHECK: func.func @train_8
  func.func @train_8(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
    return %x : tensor<8x4xf32>
  }
}

// -----

// CHECK: module attributes {llm.level = "sharded"} {
// CHECK: shard.grid @grid(shape = 2x1)
module attributes {llm.level = "train"} {
  shard.grid @grid(shape = 2x1)
  func.func @train_8(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
    // CHECK: shard.all_reduce
    %y = shard.all_reduce %x on @grid grid_axes = [0] : tensor<8x4xf32> -> tensor<8x4xf32>
    return %y : tensor<8x4xf32>
  }
}
