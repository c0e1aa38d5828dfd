// A forward program of static shape passes and is marked; nothing else changes.
// RUN: llama-opt %s --graph-verify | FileCheck %s

// CHECK: module attributes {llm.level = "graph"} {
module {
// CHECK-LABEL: func.func @train_8(
// CHECK-SAME: %[[IDS:[^:]+]]: tensor<8xi32>, %[[POSITIONS:[^:]+]]: tensor<8xi32>) -> tensor<8x4xf32> attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
// CHECK-NEXT: %[[EMBED:.*]] = llm.parameter "embed" init <zero, 0.000000e+00 : f64> : tensor<16x4xf32>
// CHECK-NEXT: %[[W:.*]] = llm.weight "w" : tensor<4x4xf32>
// CHECK-NEXT: %[[EMBEDDING:.*]] = llm.embedding %[[IDS]], %[[EMBED]] : (tensor<8xi32>, tensor<16x4xf32>) -> tensor<8x4xf32>
// CHECK-NEXT: %[[COS:.*]], %[[SIN:.*]] = llm.rope_table %[[POSITIONS]] theta 1.000000e+04 max_positions 8 : tensor<8xi32> -> tensor<8x1xf32>
// CHECK-NEXT: %[[ROPE:.*]] = llm.rope %[[EMBEDDING]], %[[COS]], %[[SIN]] : tensor<8x4xf32>, tensor<8x1xf32>
// CHECK-NEXT: %[[LINEAR:.*]] = llm.linear %[[ROPE]], %[[W]] : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
// CHECK-NEXT: return %[[LINEAR]] : tensor<8x4xf32>
func.func @train_8(%ids: tensor<8xi32>, %positions: tensor<8xi32>) -> tensor<8x4xf32> attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
  %t = llm.parameter "embed" init <zero, 0.0> : tensor<16x4xf32>
  %w = llm.weight "w" : tensor<4x4xf32>
  %x = llm.embedding %ids, %t : (tensor<8xi32>, tensor<16x4xf32>) -> tensor<8x4xf32>
  %cos, %sin = llm.rope_table %positions theta 1.0e+04 max_positions 8 : tensor<8xi32> -> tensor<8x1xf32>
  %r = llm.rope %x, %cos, %sin : tensor<8x4xf32>, tensor<8x1xf32>
  %y = llm.linear %r, %w : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}
}
