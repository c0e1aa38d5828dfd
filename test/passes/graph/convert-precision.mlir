// Every bf16 type becomes f32: weights, values, arguments, results, bodies of
// layers. Integers and names stay.
// RUN: llama-opt %s --graph-convert-precision | FileCheck %s --implicit-check-not=bf16

// CHECK-LABEL: func.func @hidden(
// CHECK-SAME: %[[IDS:[^:]+]]: tensor<?xi32>, %[[X:[^:]+]]: tensor<?x4xf32>) -> tensor<?x8xf32> {
// CHECK-NEXT: %[[W:.*]] = llm.weight "w" : tensor<8x4xf32>
// CHECK-NEXT: %[[LAYERS:.*]] = llm.layers count(2) carry(%[[X]]) : (tensor<?x4xf32>) {
// CHECK-NEXT: ^{{.*}}(%[[E:.*]]: tensor<?x4xf32>):
// CHECK-NEXT: %[[WEIGHT:.*]] = llm.weight "n.{layer}" : tensor<4xf32>
// CHECK-NEXT: %[[RMS_NORM:.*]] = llm.rms_norm %[[E]], %[[WEIGHT]] eps 1.000000e-05 : tensor<?x4xf32>, tensor<4xf32>
// CHECK-NEXT: llm.yield %[[RMS_NORM]] : tensor<?x4xf32>
// CHECK-NEXT: }
// CHECK-NEXT: %[[LINEAR:.*]] = llm.linear %[[LAYERS]], %[[W]] : (tensor<?x4xf32>, tensor<8x4xf32>) -> tensor<?x8xf32>
// CHECK-NEXT: return %[[LINEAR]] : tensor<?x8xf32>
func.func @hidden(%ids: tensor<?xi32>, %x: tensor<?x4xbf16>) -> tensor<?x8xbf16> {
  %w = llm.weight "w" : tensor<8x4xbf16>
  %t = llm.layers count(2) carry(%x) : (tensor<?x4xbf16>) {
  ^bb0(%a: tensor<?x4xbf16>):
    %nw = llm.weight "n.{layer}" : tensor<4xbf16>
    %n = llm.rms_norm %a, %nw eps 1.0e-05 : tensor<?x4xbf16>, tensor<4xbf16>
    llm.yield %n : tensor<?x4xbf16>
  }
  %y = llm.linear %t, %w : (tensor<?x4xbf16>, tensor<8x4xbf16>) -> tensor<?x8xbf16>
  return %y : tensor<?x8xbf16>
}
