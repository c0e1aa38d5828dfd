// Computing in bf16: weights and activations, whatever the model file says. Tables
// of angles and the statistics of attention stay f32; integers and names stay.
// RUN: llama-opt %s --graph-convert-precision=compute=bf16 | FileCheck %s

// CHECK-LABEL: func.func @hidden(
// CHECK-SAME: tensor<?xi32>, %[[POSITIONS:[^:]+]]: tensor<?xi32>, %{{[^:]+}}: tensor<?xi32>) -> tensor<?x4xbf16> {
// CHECK-NEXT: %[[T:.*]] = llm.weight "embed" : tensor<16x4xbf16>
// CHECK-NEXT: %[[X:.*]] = llm.embedding %{{.*}}, %[[T]] : (tensor<?xi32>, tensor<16x4xbf16>) -> tensor<?x4xbf16>
// CHECK-NEXT: %[[COS:.*]], %[[SIN:.*]] = llm.rope_table %[[POSITIONS]] {{.*}} : tensor<?xi32> -> tensor<?x1xf32>
// CHECK-NEXT: %[[N:.*]] = llm.weight "norm" : tensor<4xbf16>
// CHECK-NEXT: %[[H:.*]] = llm.rms_norm %[[X]], %[[N]] eps 1.000000e-05 : tensor<?x4xbf16>, tensor<4xbf16>
// CHECK-NEXT: %[[R:.*]] = llm.rope %[[H]], %[[COS]], %[[SIN]] : tensor<?x4xbf16>, tensor<?x1xf32>
// CHECK-NEXT: %[[Y:.*]], %{{.*}} = llm.attention {{.*}} -> (tensor<?x4xbf16>, tensor<?x2xf32>)
// CHECK-NEXT: return %[[Y]] : tensor<?x4xbf16>
// CHECK-LABEL: func.func @logits(
// CHECK-SAME: tensor<?x4xbf16>) -> tensor<?x16xbf16>
// CHECK: llm.weight "lm_head.weight" : tensor<16x4xbf16>
// CHECK-LABEL: func.func private @extern(tensor<?x4xf32>)
func.func @hidden(%ids: tensor<?xi32>, %positions: tensor<?xi32>, %cu: tensor<?xi32>) -> tensor<?x4xf32> {
  %t = llm.weight "embed" : tensor<16x4xf32>
  %x = llm.embedding %ids, %t : (tensor<?xi32>, tensor<16x4xf32>) -> tensor<?x4xf32>
  %cos, %sin = llm.rope_table %positions theta 1.0e+04 max_positions 2048 : tensor<?xi32> -> tensor<?x1xf32>
  %n = llm.weight "norm" : tensor<4xf32>
  %h = llm.rms_norm %x, %n eps 1.0e-05 : tensor<?x4xf32>, tensor<4xf32>
  %r = llm.rope %h, %cos, %sin : tensor<?x4xf32>, tensor<?x1xf32>
  %y, %lse = llm.attention %r, %r, %h, %cu heads(2) kv_heads(2) scale 0.5
    : (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?xi32>) -> (tensor<?x4xf32>, tensor<?x2xf32>)
  return %y : tensor<?x4xf32>
}
func.func @logits(%h: tensor<?x4xbf16>) -> tensor<?x16xbf16> {
  %w = llm.weight "lm_head.weight" : tensor<16x4xbf16>
  %z = llm.linear %h, %w : (tensor<?x4xbf16>, tensor<16x4xbf16>) -> tensor<?x16xbf16>
  return %z : tensor<?x16xbf16>
}
func.func private @extern(tensor<?x4xf32>)

// Losses, their labels and scales stay, too.
// CHECK-LABEL: func.func @own(
// CHECK-SAME: tensor<8x1xbf16>, %{{[^:]+}}: tensor<8xf32>, %{{[^:]+}}: tensor<1xf32>) -> (tensor<1xf32>, tensor<1xf32>)
// CHECK: llm.mse %{{.*}} : tensor<8x1xbf16>, tensor<8xf32>, tensor<1xf32> -> tensor<1xf32>
// CHECK: llm.sum %{{.*}} : tensor<8x1xbf16>, tensor<1xf32> -> tensor<1xf32>
func.func @own(%x: tensor<8x1xf32>, %labels: tensor<8xf32>, %scale: tensor<1xf32>) -> (tensor<1xf32>, tensor<1xf32>)
    attributes {llm.program = #llm.program<gradient, tokens = 8, sequences = 8>} {
  %m = llm.mse %x, %labels, %scale : tensor<8x1xf32>, tensor<8xf32>, tensor<1xf32> -> tensor<1xf32>
  %s = llm.sum %x, %scale : tensor<8x1xf32>, tensor<1xf32> -> tensor<1xf32>
  return %m, %s : tensor<1xf32>, tensor<1xf32>
}
