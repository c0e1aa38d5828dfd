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
// CHECK: shard.grid @grid(shape = 2x2)
module attributes {llm.level = "train"} {
  shard.grid @grid(shape = 2x2)
  func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}) -> (tensor<8x4xf32> {llm.output = "y"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
    %a = llm.weight "a" {llm.split_axes = [array<i64: 1>, array<i64>], llm.whole_shape = array<i64: 6, 4>} : tensor<3x4xf32>
    %b = llm.parameter "b" init <zero, 0.0> {llm.split_axes = [array<i64>, array<i64: 1>], llm.whole_shape = array<i64: 4, 6>} : tensor<4x3xf32>
    %h = llm.linear %x, %a : (tensor<8x4xf32>, tensor<3x4xf32>) -> tensor<8x3xf32>
    %t = llm.linear %h, %b : (tensor<8x3xf32>, tensor<4x3xf32>) -> tensor<8x4xf32>
    // CHECK: shard.all_reduce
    %y = shard.all_reduce %t on @grid grid_axes = [1] : tensor<8x4xf32> -> tensor<8x4xf32>
    %g = llm.matmul %y, %h transpose_a : (tensor<8x4xf32>, tensor<8x3xf32>) -> tensor<4x3xf32>
    llm.gradient "b", %g : tensor<4x3xf32>
    llm.reduce_gradients ["b"] on @grid axes [0]
    return %y : tensor<8x4xf32>
  }
}
