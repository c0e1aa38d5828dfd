// Launches and storage make level fused.
// RUN: llama-opt %s --fuse-verify | FileCheck %s

// CHECK: module attributes {llm.level = "fused"} {
module attributes {llm.level = "sharded"} {
// CHECK-LABEL: func.func @train_8(
// CHECK-SAME: %[[Q:[^:]+]]: tensor<8x4xf32>, %[[CU:[^:]+]]: tensor<3xi32>) -> tensor<8x4xf32> attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
// CHECK-NEXT: %[[W:.*]] = llm.weight "w" : tensor<4x4xf32>
// CHECK-NEXT: %[[P:.*]] = llm.parameter "p" init <zero, 0.000000e+00 : f64> : tensor<4x4xf32>
// CHECK-NEXT: %[[CONSTANT:.*]] = llm.constant dense<1.000000e+00> : tensor<1xf32> : tensor<1xf32>
// CHECK-NEXT: %[[MATMUL:.*]] = llm.matmul %[[Q]], %[[W]] transpose_b : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
// CHECK-NEXT: %[[ATTENTION:.*]], %[[LSE:.*]] = llm.attention %[[MATMUL]], %[[MATMUL]], %[[MATMUL]], %[[CU]] heads(2) kv_heads(2) scale 5.000000e-01 : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>, tensor<3xi32>) -> (tensor<8x4xf32>, tensor<8x2xf32>)
// CHECK-NEXT: %[[DQ:.*]], %[[DK:.*]], %[[DV:.*]] = llm.attention_grad %[[MATMUL]], %[[MATMUL]], %[[MATMUL]], %[[CU]], %[[ATTENTION]], %[[LSE]], %[[ATTENTION]] heads(2) kv_heads(2) scale 5.000000e-01 : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>, tensor<3xi32>, tensor<8x4xf32>, tensor<8x2xf32>, tensor<8x4xf32>) -> (tensor<8x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>)
// CHECK-NEXT: %[[PENDING_P:.*]] = llm.pending_gradient "p" : tensor<4x4xf32>
// CHECK-NEXT: llm.gradient "p", %[[PENDING_P]] : tensor<4x4xf32>
// CHECK-NEXT: %[[FLAT_LOAD:.*]] = llm.flat_load gradients : tensor<1x1024xf32>
// CHECK-NEXT: llm.flat_store parameters, %[[FLAT_LOAD]] : tensor<1x1024xf32>
// CHECK-NEXT: llm.flat_clear gradients : tensor<1x1024xf32>
// CHECK-NEXT: return %[[DQ]] : tensor<8x4xf32>
func.func @train_8(%q: tensor<8x4xf32>, %cu: tensor<3xi32>) -> tensor<8x4xf32> attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
  %w = llm.weight "w" : tensor<4x4xf32>
  %p = llm.parameter "p" init <zero, 0.0> : tensor<4x4xf32>
  %c = llm.constant dense<1.0> : tensor<1xf32> : tensor<1xf32>
  %y = llm.matmul %q, %w transpose_b : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %o, %lse = llm.attention %y, %y, %y, %cu heads(2) kv_heads(2) scale 0.5
    : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>, tensor<3xi32>) -> (tensor<8x4xf32>, tensor<8x2xf32>)
  %dq, %dk, %dv = llm.attention_grad %y, %y, %y, %cu, %o, %lse, %o heads(2) kv_heads(2) scale 0.5
    : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>, tensor<3xi32>, tensor<8x4xf32>, tensor<8x2xf32>, tensor<8x4xf32>)
      -> (tensor<8x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>)
  %old = llm.pending_gradient "p" : tensor<4x4xf32>
  llm.gradient "p", %old : tensor<4x4xf32>
  %g = llm.flat_load gradients : tensor<1x1024xf32>
  llm.flat_store parameters, %g : tensor<1x1024xf32>
  llm.flat_clear gradients : tensor<1x1024xf32>
  return %dq : tensor<8x4xf32>
}
}
