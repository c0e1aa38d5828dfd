// Gradients are summed in groups that are closed when they are large enough, one
// sum for each set of axes; what is not summed is left alone.
// RUN: llama-opt %s --shard-bucket-gradients="bucket-bytes=200" | FileCheck %s
// RUN: llama-opt %s --shard-bucket-gradients | FileCheck %s --check-prefix=ONE

// CHECK: llm.gradient "d", %arg0 : tensor<8x4xf32>
// CHECK-NEXT: llm.gradient "c", %arg0 : tensor<8x4xf32>
// CHECK-NEXT: llm.reduce_gradients ["d"] on @grid axes [0]
// CHECK-NEXT: llm.reduce_gradients ["c"] on @grid axes [0, 1]
// CHECK-NEXT: llm.gradient "part", %arg0
// CHECK-NEXT: llm.gradient "b", %arg0 : tensor<8x4xf32>
// CHECK-NEXT: llm.reduce_gradients ["b"] on @grid axes [0]
// CHECK-NEXT: return

// ONE: llm.gradient "b"
// ONE-NEXT: llm.reduce_gradients ["d", "b"] on @grid axes [0]
// ONE-NEXT: llm.reduce_gradients ["c"] on @grid axes [0, 1]

// A collective has one element type.
// CHECK-LABEL: func.func @mixed
// CHECK: llm.gradient "f", %arg1 : tensor<8x4xbf16>
// CHECK-NEXT: llm.reduce_gradients ["e"] on @grid axes [0]
// CHECK-NEXT: llm.reduce_gradients ["f"] on @grid axes [0]
// CHECK-NEXT: return
shard.grid @grid(shape = 2x2)
func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %d = shard.all_reduce %x on @grid grid_axes = [0] : tensor<8x4xf32> -> tensor<8x4xf32>
  llm.gradient "d", %d : tensor<8x4xf32>
  %c = shard.all_reduce %x on @grid grid_axes = [0, 1] : tensor<8x4xf32> -> tensor<8x4xf32>
  llm.gradient "c", %c : tensor<8x4xf32>
  llm.gradient "part", %x : tensor<8x4xf32>
  %b = shard.all_reduce %x on @grid grid_axes = [0] : tensor<8x4xf32> -> tensor<8x4xf32>
  llm.gradient "b", %b : tensor<8x4xf32>
  return
}
func.func @mixed(%x: tensor<8x4xf32> {llm.input = "x"}, %h: tensor<8x4xbf16> {llm.input = "h"}) attributes {llm.program = #llm.program<gradient, tokens = 8, sequences = 8>} {
  %e = shard.all_reduce %x on @grid grid_axes = [0] : tensor<8x4xf32> -> tensor<8x4xf32>
  llm.gradient "e", %e : tensor<8x4xf32>
  %f = shard.all_reduce %h on @grid grid_axes = [0] : tensor<8x4xbf16> -> tensor<8x4xbf16>
  llm.gradient "f", %f : tensor<8x4xbf16>
  return
}
