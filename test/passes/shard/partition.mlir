// The grid of one device, and the program as it was.
// RUN: llama-opt %s --shard-partition | FileCheck %s
// RUN: llama-opt %s --shard-partition="dp=1 tp=1" | FileCheck %s

// CHECK: module attributes {llm.level = "train"} {
// CHECK-NEXT: shard.grid @grid(shape = 1x1)
// CHECK-LABEL: func.func @train_8(
// CHECK-SAME: %[[X:[^:]+]]: tensor<8x4xf32>) -> tensor<8x6xf32> attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
// CHECK-NEXT: %[[W:.*]] = llm.weight "w" : tensor<6x4xf32>
// CHECK-NEXT: %[[LINEAR:.*]] = llm.linear %[[X]], %[[W]] : (tensor<8x4xf32>, tensor<6x4xf32>) -> tensor<8x6xf32>
// CHECK-NEXT: return %[[LINEAR]] : tensor<8x6xf32>
module attributes {llm.level = "train"} {
func.func @train_8(%x: tensor<8x4xf32>) -> tensor<8x6xf32> attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %w = llm.weight "w" : tensor<6x4xf32>
  %y = llm.linear %x, %w : (tensor<8x4xf32>, tensor<6x4xf32>) -> tensor<8x6xf32>
  return %y : tensor<8x6xf32>
}
}
