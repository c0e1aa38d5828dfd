// A sum with a product becomes accumulation, where the other addend's storage is
// free to take it.
// RUN: llama-opt %s --fuse-matmul-add | FileCheck %s

// An adapter's product on its base product; all attributes stay.
// CHECK-LABEL: func.func @adapter(
// CHECK-SAME: %[[X:[^:]+]]: tensor<8x4xf32>, %[[W:[^:]+]]: tensor<6x4xf32>, %[[T:[^:]+]]: tensor<8x2xf32>, %[[B:[^:]+]]: tensor<6x2xf32>) -> tensor<8x6xf32> {
// CHECK-NEXT: %[[MATMUL:.*]] = llm.matmul %[[X]], %[[W]] transpose_b : (tensor<8x4xf32>, tensor<6x4xf32>) -> tensor<8x6xf32>
// CHECK-NEXT: %[[MATMUL1:.*]] = llm.matmul %[[T]], %[[B]] accumulate(%[[MATMUL]]) transpose_b alpha 2.000000e+00 : (tensor<8x2xf32>, tensor<6x2xf32>, tensor<8x6xf32>) -> tensor<8x6xf32>
// CHECK-NEXT: return %[[MATMUL1]] : tensor<8x6xf32>
func.func @adapter(%x: tensor<8x4xf32>, %w: tensor<6x4xf32>, %t: tensor<8x2xf32>, %b: tensor<6x2xf32>) -> tensor<8x6xf32> {
  %y = llm.matmul %x, %w transpose_b : (tensor<8x4xf32>, tensor<6x4xf32>) -> tensor<8x6xf32>
  %u = llm.matmul %t, %b transpose_b alpha 2.0 : (tensor<8x2xf32>, tensor<6x2xf32>) -> tensor<8x6xf32>
  %s = llm.add %y, %u : tensor<8x6xf32>
  return %s : tensor<8x6xf32>
}

// The left addend is the product if the right one is none. The product moves to
// where both are there.
// CHECK-LABEL: func.func @left(
// CHECK-SAME: %[[A:[^:]+]]: tensor<8x4xf32>, %[[B:[^:]+]]: tensor<4x4xf32>, %[[GATE:[^:]+]]: tensor<8x4xf32>) -> tensor<8x4xf32> {
// CHECK-NEXT: %[[SWIGLU:.*]] = llm.swiglu %[[A]], %[[GATE]] : tensor<8x4xf32>
// CHECK-NEXT: %[[MATMUL:.*]] = llm.matmul %[[A]], %[[B]] accumulate(%[[SWIGLU]]) transpose_b : (tensor<8x4xf32>, tensor<4x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
// CHECK-NEXT: return %[[MATMUL]] : tensor<8x4xf32>
func.func @left(%a: tensor<8x4xf32>, %b: tensor<4x4xf32>, %gate: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %q = llm.matmul %a, %b transpose_b : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %r = llm.swiglu %a, %gate : tensor<8x4xf32>
  %s = llm.add %q, %r : tensor<8x4xf32>
  return %s : tensor<8x4xf32>
}

// Micro-batches: onto what is pending, in place.
// CHECK-LABEL: func.func @pending(
// CHECK-SAME: %[[DY:[^:]+]]: tensor<8x2xf32>, %[[X:[^:]+]]: tensor<8x4xf32>) {
// CHECK-NEXT: %[[PENDING_A:.*]] = llm.pending_gradient "a" : tensor<2x4xf32>
// CHECK-NEXT: %[[MATMUL:.*]] = llm.matmul %[[DY]], %[[X]] accumulate(%[[PENDING_A]]) transpose_a : (tensor<8x2xf32>, tensor<8x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
// CHECK-NEXT: llm.gradient "a", %[[MATMUL]] : tensor<2x4xf32>
// CHECK-NEXT: return
func.func @pending(%dy: tensor<8x2xf32>, %x: tensor<8x4xf32>) {
  %g = llm.matmul %dy, %x transpose_a : (tensor<8x2xf32>, tensor<8x4xf32>) -> tensor<2x4xf32>
  %old = llm.pending_gradient "a" : tensor<2x4xf32>
  %sum = llm.add %old, %g : tensor<2x4xf32>
  llm.gradient "a", %sum : tensor<2x4xf32>
  return
}

// Three products of one sum: one after the other.
// CHECK-LABEL: func.func @three(
// CHECK-SAME: %[[X:[^:]+]]: tensor<8x4xf32>, %[[A:[^:]+]]: tensor<4x4xf32>, %[[B:[^:]+]]: tensor<4x4xf32>, %[[C:[^:]+]]: tensor<4x4xf32>) -> tensor<8x4xf32> {
// CHECK-NEXT: %[[MATMUL:.*]] = llm.matmul %[[X]], %[[A]] : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
// CHECK-NEXT: %[[MATMUL1:.*]] = llm.matmul %[[X]], %[[B]] accumulate(%[[MATMUL]]) : (tensor<8x4xf32>, tensor<4x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
// CHECK-NEXT: %[[MATMUL2:.*]] = llm.matmul %[[X]], %[[C]] accumulate(%[[MATMUL1]]) : (tensor<8x4xf32>, tensor<4x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
// CHECK-NEXT: return %[[MATMUL2]] : tensor<8x4xf32>
func.func @three(%x: tensor<8x4xf32>, %a: tensor<4x4xf32>, %b: tensor<4x4xf32>, %c: tensor<4x4xf32>) -> tensor<8x4xf32> {
  %p = llm.matmul %x, %a : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %q = llm.matmul %x, %b : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %r = llm.matmul %x, %c : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %s = llm.add %p, %q : tensor<8x4xf32>
  %t = llm.add %s, %r : tensor<8x4xf32>
  return %t : tensor<8x4xf32>
}

// Refused: an argument, a weight, a parameter or a constant is nobody's to
// overwrite.
// CHECK-LABEL: func.func @not_ours(
// CHECK-SAME: %[[X:[^:]+]]: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) {
// CHECK-NEXT: %[[W:.*]] = llm.weight "w" : tensor<4x4xf32>
// CHECK-NEXT: %[[P:.*]] = llm.parameter "p" init <zero, 0.000000e+00 : f64> : tensor<4x4xf32>
// CHECK-NEXT: %[[CONSTANT:.*]] = llm.constant dense<1.000000e+00> : tensor<4x4xf32> : tensor<4x4xf32>
// CHECK-NEXT: %[[MATMUL:.*]] = llm.matmul %[[X]], %[[X]] : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT: %[[ADD:.*]] = llm.add %[[X]], %[[MATMUL]] : tensor<4x4xf32>
// CHECK-NEXT: %[[MATMUL1:.*]] = llm.matmul %[[X]], %[[X]] : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT: %[[ADD1:.*]] = llm.add %[[W]], %[[MATMUL1]] : tensor<4x4xf32>
// CHECK-NEXT: %[[MATMUL2:.*]] = llm.matmul %[[X]], %[[X]] : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT: %[[ADD2:.*]] = llm.add %[[P]], %[[MATMUL2]] : tensor<4x4xf32>
// CHECK-NEXT: %[[MATMUL3:.*]] = llm.matmul %[[X]], %[[X]] : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT: %[[ADD3:.*]] = llm.add %[[CONSTANT]], %[[MATMUL3]] : tensor<4x4xf32>
// CHECK-NEXT: return %[[ADD]], %[[ADD1]], %[[ADD2]], %[[ADD3]] : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
func.func @not_ours(%x: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) {
  %w = llm.weight "w" : tensor<4x4xf32>
  %p = llm.parameter "p" init <zero, 0.0> : tensor<4x4xf32>
  %c = llm.constant dense<1.0> : tensor<4x4xf32> : tensor<4x4xf32>
  %m0 = llm.matmul %x, %x : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %s0 = llm.add %x, %m0 : tensor<4x4xf32>
  %m1 = llm.matmul %x, %x : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %s1 = llm.add %w, %m1 : tensor<4x4xf32>
  %m2 = llm.matmul %x, %x : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %s2 = llm.add %p, %m2 : tensor<4x4xf32>
  %m3 = llm.matmul %x, %x : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %s3 = llm.add %c, %m3 : tensor<4x4xf32>
  return %s0, %s1, %s2, %s3 : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
}

// Refused: the other addend is read elsewhere.
// CHECK-LABEL: func.func @read_twice(
// CHECK-SAME: %[[X:[^:]+]]: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
// CHECK-NEXT: %[[SWIGLU:.*]] = llm.swiglu %[[X]], %[[X]] : tensor<4x4xf32>
// CHECK-NEXT: %[[MATMUL:.*]] = llm.matmul %[[X]], %[[X]] : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT: %[[ADD:.*]] = llm.add %[[SWIGLU]], %[[MATMUL]] : tensor<4x4xf32>
// CHECK-NEXT: %[[SWIGLU1:.*]] = llm.swiglu %[[SWIGLU]], %[[X]] : tensor<4x4xf32>
// CHECK-NEXT: return %[[ADD]], %[[SWIGLU1]] : tensor<4x4xf32>, tensor<4x4xf32>
func.func @read_twice(%x: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %y = llm.swiglu %x, %x : tensor<4x4xf32>
  %m = llm.matmul %x, %x : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %s = llm.add %y, %m : tensor<4x4xf32>
  %z = llm.swiglu %y, %x : tensor<4x4xf32>
  return %s, %z : tensor<4x4xf32>, tensor<4x4xf32>
}

// Refused: the product is read elsewhere.
// CHECK-LABEL: func.func @product_twice(
// CHECK-SAME: %[[X:[^:]+]]: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
// CHECK-NEXT: %[[SWIGLU:.*]] = llm.swiglu %[[X]], %[[X]] : tensor<4x4xf32>
// CHECK-NEXT: %[[MATMUL:.*]] = llm.matmul %[[X]], %[[X]] : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT: %[[ADD:.*]] = llm.add %[[SWIGLU]], %[[MATMUL]] : tensor<4x4xf32>
// CHECK-NEXT: return %[[ADD]], %[[MATMUL]] : tensor<4x4xf32>, tensor<4x4xf32>
func.func @product_twice(%x: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %y = llm.swiglu %x, %x : tensor<4x4xf32>
  %m = llm.matmul %x, %x : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %s = llm.add %y, %m : tensor<4x4xf32>
  return %s, %m : tensor<4x4xf32>, tensor<4x4xf32>
}

// Refused: twice one product.
// CHECK-LABEL: func.func @itself(
// CHECK-SAME: %[[X:[^:]+]]: tensor<4x4xf32>) -> tensor<4x4xf32> {
// CHECK-NEXT: %[[MATMUL:.*]] = llm.matmul %[[X]], %[[X]] : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT: %[[ADD:.*]] = llm.add %[[MATMUL]], %[[MATMUL]] : tensor<4x4xf32>
// CHECK-NEXT: return %[[ADD]] : tensor<4x4xf32>
func.func @itself(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %m = llm.matmul %x, %x : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %s = llm.add %m, %m : tensor<4x4xf32>
  return %s : tensor<4x4xf32>
}
