// What is folded and what is left alone, in programs that only go forward.
// RUN: llama-opt %s --fuse-fold-adapters -split-input-file | FileCheck %s

// Weights that share an input are one product without any adapter, too: no padding,
// nothing to copy in. A weight alone stays.
// CHECK-LABEL: func.func @evaluate_8(
// CHECK-SAME: %[[X:[^:]+]]: tensor<8x64xf32>
// CHECK-NEXT: %[[F:.*]] = llm.folded_weight ["gate", "up"] rows [96, 32] a ["", ""] b ["", ""] ranks [0, 0] scales [0.000000e+00, 0.000000e+00] pad 0 : tensor<128x64xf32>
// CHECK-NEXT: %[[Y:.*]] = llm.matmul %[[X]], %[[F]] transpose_b : (tensor<8x64xf32>, tensor<128x64xf32>) -> tensor<8x128xf32>
// CHECK-NEXT: %[[G:.*]] = llm.panel %[[Y]] at{{ ?}}[0, 0] : tensor<8x128xf32> -> tensor<8x96xf32>
// CHECK-NEXT: %[[U:.*]] = llm.panel %[[Y]] at{{ ?}}[0, 96] : tensor<8x128xf32> -> tensor<8x32xf32>
// CHECK-NEXT: %[[W:.*]] = llm.weight "down" : tensor<64x96xf32>
// CHECK-NEXT: %[[D:.*]] = llm.matmul %[[G]], %[[W]] transpose_b
// CHECK-NEXT: return %[[D]], %[[U]] :
// CHECK-NEXT: }
func.func @evaluate_8(%x: tensor<8x64xf32>) -> (tensor<8x64xf32>, tensor<8x32xf32>) {
  %gw = llm.weight "gate" : tensor<96x64xf32>
  %g = llm.matmul %x, %gw transpose_b : (tensor<8x64xf32>, tensor<96x64xf32>) -> tensor<8x96xf32>
  %uw = llm.weight "up" : tensor<32x64xf32>
  %u = llm.matmul %x, %uw transpose_b : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  %dw = llm.weight "down" : tensor<64x96xf32>
  %d = llm.matmul %g, %dw transpose_b : (tensor<8x96xf32>, tensor<64x96xf32>) -> tensor<8x64xf32>
  return %d, %u : tensor<8x64xf32>, tensor<8x32xf32>
}

// -----

// Large matrices: ranks are padded to 64, what tiles of tensor cores take. In bf16
// the products read the rounded factors in the weight; the masters have no other
// reader. The sum may have its addends either way round.
// CHECK-LABEL: func.func @evaluate_8(
// CHECK-SAME: %[[X:[^:]+]]: tensor<8x1024xbf16>
// CHECK-NEXT: llm.fold_factors
// CHECK-NEXT: llm.parameter "a"
// CHECK-NEXT: llm.parameter "b"
// CHECK-NEXT: %[[F:.*]] = llm.folded_weight ["w"] rows [1024] a ["a"] b ["b"] ranks [4] scales [5.000000e-01] pad 64 : tensor<1088x1088xbf16>
// CHECK-NEXT: %[[A:.*]] = llm.panel %[[F]] at{{ ?}}[1024, 0] : tensor<1088x1088xbf16> -> tensor<64x1024xbf16>
// CHECK-NEXT: %[[T:.*]] = llm.matmul %[[X]], %[[A]] transpose_b : (tensor<8x1024xbf16>, tensor<64x1024xbf16>) -> tensor<8x64xbf16>
// CHECK: %[[XT:.*]] = llm.concat %[[X]], %[[T]] : (tensor<8x1024xbf16>, tensor<8x64xbf16>) -> tensor<8x1088xbf16>
// CHECK: %[[W:.*]] = llm.panel %[[F]] at{{ ?}}[0, 0] : tensor<1088x1088xbf16> -> tensor<1024x1088xbf16>
// CHECK-NEXT: %[[Y:.*]] = llm.matmul %[[XT]], %[[W]] transpose_b : (tensor<8x1088xbf16>, tensor<1024x1088xbf16>) -> tensor<8x1024xbf16>
// CHECK-NOT: llm.cast
// CHECK: return %[[Y]]
func.func @evaluate_8(%x: tensor<8x1024xbf16>) -> tensor<8x1024xbf16> {
  %w = llm.weight "w" : tensor<1024x1024xbf16>
  %a = llm.parameter "a" init <uniform, 0.5> : tensor<4x1024xf32>
  %a16 = llm.cast %a : tensor<4x1024xf32> -> tensor<4x1024xbf16>
  %b = llm.parameter "b" init <zero, 0.0> : tensor<1024x4xf32>
  %b16 = llm.cast %b : tensor<1024x4xf32> -> tensor<1024x4xbf16>
  %y = llm.matmul %x, %w transpose_b : (tensor<8x1024xbf16>, tensor<1024x1024xbf16>) -> tensor<8x1024xbf16>
  %t = llm.matmul %x, %a16 transpose_b : (tensor<8x1024xbf16>, tensor<4x1024xbf16>) -> tensor<8x4xbf16>
  %u = llm.matmul %t, %b16 transpose_b alpha 0.5 : (tensor<8x4xbf16>, tensor<1024x4xbf16>) -> tensor<8x1024xbf16>
  %s = llm.add %u, %y : tensor<8x1024xbf16>
  return %s : tensor<8x1024xbf16>
}

// -----

// Left alone: a weight that is applied twice, a scaled product, one that adds to
// something, one of the weight itself and not its transpose.
// CHECK-LABEL: func.func @evaluate_8(
// CHECK-NOT: llm.folded_weight
// CHECK-NOT: llm.fold_factors
func.func @evaluate_8(%x: tensor<8x64xf32>, %c: tensor<8x64xf32>)
    -> (tensor<8x64xf32>, tensor<8x64xf32>, tensor<8x64xf32>, tensor<8x64xf32>, tensor<8x64xf32>) {
  %w0 = llm.weight "twice" : tensor<64x64xf32>
  %y0 = llm.matmul %x, %w0 transpose_b : (tensor<8x64xf32>, tensor<64x64xf32>) -> tensor<8x64xf32>
  %y1 = llm.matmul %y0, %w0 transpose_b : (tensor<8x64xf32>, tensor<64x64xf32>) -> tensor<8x64xf32>
  %w2 = llm.weight "scaled" : tensor<64x64xf32>
  %y2 = llm.matmul %x, %w2 transpose_b alpha 2.0 : (tensor<8x64xf32>, tensor<64x64xf32>) -> tensor<8x64xf32>
  %w3 = llm.weight "added" : tensor<64x64xf32>
  %y3 = llm.matmul %x, %w3 accumulate(%c) transpose_b : (tensor<8x64xf32>, tensor<64x64xf32>, tensor<8x64xf32>) -> tensor<8x64xf32>
  %w4 = llm.weight "straight" : tensor<64x64xf32>
  %y4 = llm.matmul %x, %w4 : (tensor<8x64xf32>, tensor<64x64xf32>) -> tensor<8x64xf32>
  %w5 = llm.weight "last" : tensor<64x64xf32>
  %y5 = llm.matmul %x, %w5 transpose_b : (tensor<8x64xf32>, tensor<64x64xf32>) -> tensor<8x64xf32>
  return %y1, %y2, %y3, %y4, %y5 : tensor<8x64xf32>, tensor<8x64xf32>, tensor<8x64xf32>, tensor<8x64xf32>, tensor<8x64xf32>
}

// -----

// Not every sum of products is an adapter. The layer's own output is wanted ("q");
// the adapter reads something else ("k"); one of its factors is frozen ("v"): their sums
// stay, but they share an input. "o" is one, but its output has two more readers.
// CHECK-LABEL: func.func @evaluate_8(
// CHECK-SAME: %[[X:[^:]+]]: tensor<8x64xf32>
// CHECK: llm.folded_weight ["q", "k", "v"] rows [64, 64, 64] a ["", "", ""] b ["", "", ""] ranks [0, 0, 0]
// CHECK: %[[Q:.*]] = llm.panel %{{.*}} at{{ ?}}[0, 0] : tensor<8x192xf32> -> tensor<8x64xf32>
// CHECK: llm.add %[[Q]], %{{.*}} : tensor<8x64xf32>
// CHECK: llm.add
// CHECK: llm.add
// CHECK: llm.folded_weight ["o"] {{.*}} ranks [8] scales [1.000000e+00] pad 8 : tensor<72x72xf32>
// CHECK: %[[O:.*]] = llm.matmul %{{.*}} transpose_b : (tensor<8x72xf32>, tensor<64x72xf32>) -> tensor<8x64xf32>
// CHECK: llm.add %[[O]], %[[O]]
func.func @evaluate_8(%x: tensor<8x64xf32>, %z: tensor<8x64xf32>) -> (tensor<8x64xf32>, tensor<8x64xf32>, tensor<8x64xf32>, tensor<8x64xf32>, tensor<8x64xf32>) {
  %a = llm.parameter "a" init <uniform, 0.5> : tensor<8x64xf32>
  %b = llm.parameter "b" init <zero, 0.0> : tensor<64x8xf32>
  %frozen = llm.weight "f" : tensor<64x8xf32>
  %qw = llm.weight "q" : tensor<64x64xf32>
  %q = llm.matmul %x, %qw transpose_b : (tensor<8x64xf32>, tensor<64x64xf32>) -> tensor<8x64xf32>
  %qt = llm.matmul %x, %a transpose_b : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<8x8xf32>
  %qu = llm.matmul %qt, %b transpose_b : (tensor<8x8xf32>, tensor<64x8xf32>) -> tensor<8x64xf32>
  %qs = llm.add %q, %qu : tensor<8x64xf32>
  %kw = llm.weight "k" : tensor<64x64xf32>
  %k = llm.matmul %x, %kw transpose_b : (tensor<8x64xf32>, tensor<64x64xf32>) -> tensor<8x64xf32>
  %kt = llm.matmul %z, %a transpose_b : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<8x8xf32>
  %ku = llm.matmul %kt, %b transpose_b : (tensor<8x8xf32>, tensor<64x8xf32>) -> tensor<8x64xf32>
  %ks = llm.add %k, %ku : tensor<8x64xf32>
  %vw = llm.weight "v" : tensor<64x64xf32>
  %v = llm.matmul %x, %vw transpose_b : (tensor<8x64xf32>, tensor<64x64xf32>) -> tensor<8x64xf32>
  %vt = llm.matmul %x, %a transpose_b : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<8x8xf32>
  %vu = llm.matmul %vt, %frozen transpose_b : (tensor<8x8xf32>, tensor<64x8xf32>) -> tensor<8x64xf32>
  %vs = llm.add %v, %vu : tensor<8x64xf32>
  %oa = llm.parameter "oa" init <uniform, 0.5> : tensor<8x64xf32>
  %ob = llm.parameter "ob" init <zero, 0.0> : tensor<64x8xf32>
  %ow = llm.weight "o" : tensor<64x64xf32>
  %o = llm.matmul %ks, %ow transpose_b : (tensor<8x64xf32>, tensor<64x64xf32>) -> tensor<8x64xf32>
  %ot = llm.matmul %ks, %oa transpose_b : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<8x8xf32>
  %ou = llm.matmul %ot, %ob transpose_b : (tensor<8x8xf32>, tensor<64x8xf32>) -> tensor<8x64xf32>
  %os = llm.add %o, %ou : tensor<8x64xf32>
  %double = llm.add %os, %os : tensor<8x64xf32>
  return %q, %qs, %ks, %vs, %double : tensor<8x64xf32>, tensor<8x64xf32>, tensor<8x64xf32>, tensor<8x64xf32>, tensor<8x64xf32>
}
