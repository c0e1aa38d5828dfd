// y = alpha x W^T, with W stored [out, in].
// RUN: llama-opt %s --fuse-lower-linear | FileCheck %s --implicit-check-not=llm.linear

// CHECK-LABEL: func.func @f(
// CHECK-SAME: %[[X:[^:]+]]: tensor<8x4xf32>) -> tensor<8x2xf32> {
// CHECK-NEXT: %[[W:.*]] = llm.weight "w" : tensor<6x4xf32>
// CHECK-NEXT: %[[MATMUL:.*]] = llm.matmul %[[X]], %[[W]] transpose_b : (tensor<8x4xf32>, tensor<6x4xf32>) -> tensor<8x6xf32>
// CHECK-NEXT: %[[B:.*]] = llm.parameter "b" init <zero, 0.000000e+00 : f64> : tensor<2x6xf32>
// CHECK-NEXT: %[[MATMUL1:.*]] = llm.matmul %[[MATMUL]], %[[B]] transpose_b alpha 5.000000e-01 : (tensor<8x6xf32>, tensor<2x6xf32>) -> tensor<8x2xf32>
// CHECK-NEXT: return %[[MATMUL1]] : tensor<8x2xf32>
func.func @f(%x: tensor<8x4xf32>) -> tensor<8x2xf32> {
  %w = llm.weight "w" : tensor<6x4xf32>
  %y = llm.linear %x, %w : (tensor<8x4xf32>, tensor<6x4xf32>) -> tensor<8x6xf32>
  %b = llm.parameter "b" init <zero, 0.0> : tensor<2x6xf32>
  %z = llm.linear %y, %b alpha 0.5 : (tensor<8x6xf32>, tensor<2x6xf32>) -> tensor<8x2xf32>
  return %z : tensor<8x2xf32>
}
