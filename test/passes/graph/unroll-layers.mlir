// One copy of the block per layer: each reads what the one before it yields,
// `{layer}` is the layer's number wherever it stands, shared values are the same
// in every copy, and locations say which layer an op is of.
// RUN: llama-opt %s --graph-unroll-layers | FileCheck %s
// RUN: llama-opt %s --graph-unroll-layers --mlir-print-debuginfo | FileCheck %s --check-prefix=LOC
// RUN: llama-opt %s --graph-unroll-layers | FileCheck %s --check-prefix=NONE --implicit-check-not=llm.layers

// NONE: module
// LOC-DAG: loc("layers.0"
// LOC-DAG: loc("layers.1"

// CHECK-LABEL: func.func @hidden(
// CHECK-SAME: %[[X:[^:]+]]: tensor<?x4xf32>, %[[COS:[^:]+]]: tensor<?x2xf32>, %[[SIN:[^:]+]]: tensor<?x2xf32>) -> tensor<?x4xf32> {
// CHECK-NEXT: %[[WEIGHT:.*]] = llm.weight "l.0.w.0" : tensor<4xf32>
// CHECK-NEXT: %[[RMS_NORM:.*]] = llm.rms_norm %[[X]], %[[WEIGHT]] eps 1.000000e-05 : tensor<?x4xf32>, tensor<4xf32>
// CHECK-NEXT: %[[ROPE:.*]] = llm.rope %[[RMS_NORM]], %[[COS]], %[[SIN]] : tensor<?x4xf32>, tensor<?x2xf32>
// CHECK-NEXT: %[[ADD:.*]] = llm.add %[[X]], %[[ROPE]] : tensor<?x4xf32>
// CHECK-NEXT: %[[WEIGHT1:.*]] = llm.weight "l.1.w.1" : tensor<4xf32>
// CHECK-NEXT: %[[RMS_NORM1:.*]] = llm.rms_norm %[[ADD]], %[[WEIGHT1]] eps 1.000000e-05 : tensor<?x4xf32>, tensor<4xf32>
// CHECK-NEXT: %[[ROPE1:.*]] = llm.rope %[[RMS_NORM1]], %[[COS]], %[[SIN]] : tensor<?x4xf32>, tensor<?x2xf32>
// CHECK-NEXT: %[[ADD1:.*]] = llm.add %[[ADD]], %[[ROPE1]] : tensor<?x4xf32>
// CHECK-NEXT: return %[[ADD1]] : tensor<?x4xf32>
func.func @hidden(%x: tensor<?x4xf32>, %cos: tensor<?x2xf32>, %sin: tensor<?x2xf32>) -> tensor<?x4xf32> {
  %h = llm.layers count(2) carry(%x) shared(%cos, %sin) : (tensor<?x4xf32>, tensor<?x2xf32>, tensor<?x2xf32>) {
  ^bb0(%a: tensor<?x4xf32>, %c: tensor<?x2xf32>, %s: tensor<?x2xf32>):
    %w = llm.weight "l.{layer}.w.{layer}" : tensor<4xf32>
    %n = llm.rms_norm %a, %w eps 1.0e-05 : tensor<?x4xf32>, tensor<4xf32>
    %r = llm.rope %n, %c, %s : tensor<?x4xf32>, tensor<?x2xf32>
    %y = llm.add %a, %r : tensor<?x4xf32>
    llm.yield %y : tensor<?x4xf32>
  }
  return %h : tensor<?x4xf32>
}

// A block that hands its input on is no op at all.
// CHECK-LABEL: func.func @identity(
// CHECK-SAME: %[[X:[^:]+]]: tensor<?x4xf32>) -> tensor<?x4xf32> {
// CHECK-NEXT: return %[[X]] : tensor<?x4xf32>
func.func @identity(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %h = llm.layers count(3) carry(%x) : (tensor<?x4xf32>) {
  ^bb0(%a: tensor<?x4xf32>):
    llm.yield %a : tensor<?x4xf32>
  }
  return %h : tensor<?x4xf32>
}
