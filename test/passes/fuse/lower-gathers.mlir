// Columns are gathered as rows and then put side by side; a gather of rows stays.
// RUN: llama-opt %s --fuse-lower-gathers | FileCheck %s

shard.grid @grid(shape = 1x2)
// CHECK-LABEL: func.func @f(
// CHECK-SAME: %[[X:.*]]: tensor<8x32xf32>)
func.func @f(%x: tensor<8x32xf32>) -> (tensor<8x64xf32>, tensor<16x32xf32>) {
  // CHECK-NEXT: %[[ROWS:.*]] = shard.all_gather %[[X]] on @grid grid_axes = [1] gather_axis = 0 : tensor<8x32xf32> -> tensor<16x32xf32>
  // CHECK-NEXT: %[[Y:.*]] = llm.join_columns %[[ROWS]] : tensor<16x32xf32> -> tensor<8x64xf32>
  %y = shard.all_gather %x on @grid grid_axes = [1] gather_axis = 1 : tensor<8x32xf32> -> tensor<8x64xf32>
  // CHECK-NEXT: %[[Z:.*]] = shard.all_gather %[[X]] on @grid grid_axes = [1] gather_axis = 0 : tensor<8x32xf32> -> tensor<16x32xf32>
  %z = shard.all_gather %x on @grid grid_axes = [1] gather_axis = 0 : tensor<8x32xf32> -> tensor<16x32xf32>
  // CHECK-NEXT: return %[[Y]], %[[Z]]
  return %y, %z : tensor<8x64xf32>, tensor<16x32xf32>
}
