// The gather of last tokens climbs over token-wise ops as far as nobody else
// reads all rows.
// RUN: llama-opt %s --graph-narrow-to-pooled | FileCheck %s

// The end of a decoder block: output projection, residual, MLP. The two gathers
// of the residual end up as one on each side of its sum.
// CHECK-LABEL: func.func @block(
// CHECK-SAME: %[[ATTENDED:[^:]+]]: tensor<?x4xf32>, %[[MIXED:[^:]+]]: tensor<?x4xf32>, %[[LAST:[^:]+]]: tensor<2xi32>, %[[POOL:[^:]+]]: tensor<?xi32>) -> tensor<2x4xf32> {
// CHECK-NEXT: %[[O:.*]] = llm.weight "o" : tensor<4x4xf32>
// CHECK-NEXT: %[[NORM:.*]] = llm.weight "norm" : tensor<4xf32>
// CHECK-NEXT: %[[GATE:.*]] = llm.weight "gate" : tensor<8x4xf32>
// CHECK-NEXT: %[[UP:.*]] = llm.weight "up" : tensor<8x4xf32>
// CHECK-NEXT: %[[DOWN:.*]] = llm.weight "down" : tensor<4x8xf32>
// CHECK-NEXT: %[[GATHER_ROWS:.*]] = llm.gather_rows %[[MIXED]], %[[LAST]], %[[POOL]] : (tensor<?x4xf32>, tensor<2xi32>, tensor<?xi32>) -> tensor<2x4xf32>
// CHECK-NEXT: %[[LINEAR:.*]] = llm.linear %[[GATHER_ROWS]], %[[O]] : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
// CHECK-NEXT: %[[GATHER_ROWS1:.*]] = llm.gather_rows %[[ATTENDED]], %[[LAST]], %[[POOL]] : (tensor<?x4xf32>, tensor<2xi32>, tensor<?xi32>) -> tensor<2x4xf32>
// CHECK-NEXT: %[[ADD:.*]] = llm.add %[[GATHER_ROWS1]], %[[LINEAR]] : tensor<2x4xf32>
// CHECK-NEXT: %[[RMS_NORM:.*]] = llm.rms_norm %[[ADD]], %[[NORM]] eps 1.000000e-05 : tensor<2x4xf32>, tensor<4xf32>
// CHECK-NEXT: %[[LINEAR1:.*]] = llm.linear %[[RMS_NORM]], %[[GATE]] : (tensor<2x4xf32>, tensor<8x4xf32>) -> tensor<2x8xf32>
// CHECK-NEXT: %[[LINEAR2:.*]] = llm.linear %[[RMS_NORM]], %[[UP]] : (tensor<2x4xf32>, tensor<8x4xf32>) -> tensor<2x8xf32>
// CHECK-NEXT: %[[SWIGLU:.*]] = llm.swiglu %[[LINEAR1]], %[[LINEAR2]] : tensor<2x8xf32>
// CHECK-NEXT: %[[LINEAR3:.*]] = llm.linear %[[SWIGLU]], %[[DOWN]] alpha 2.000000e+00 : (tensor<2x8xf32>, tensor<4x8xf32>) -> tensor<2x4xf32>
// CHECK-NEXT: %[[ADD1:.*]] = llm.add %[[ADD]], %[[LINEAR3]] : tensor<2x4xf32>
// CHECK-NEXT: return %[[ADD1]] : tensor<2x4xf32>
func.func @block(%attended: tensor<?x4xf32>, %mixed: tensor<?x4xf32>, %last: tensor<2xi32>, %pool: tensor<?xi32>) -> tensor<2x4xf32> {
  %o_w = llm.weight "o" : tensor<4x4xf32>
  %norm_w = llm.weight "norm" : tensor<4xf32>
  %gate_w = llm.weight "gate" : tensor<8x4xf32>
  %up_w = llm.weight "up" : tensor<8x4xf32>
  %down_w = llm.weight "down" : tensor<4x8xf32>
  %o = llm.linear %mixed, %o_w : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
  %residual = llm.add %attended, %o : tensor<?x4xf32>
  %n = llm.rms_norm %residual, %norm_w eps 1.0e-05 : tensor<?x4xf32>, tensor<4xf32>
  %gate = llm.linear %n, %gate_w : (tensor<?x4xf32>, tensor<8x4xf32>) -> tensor<?x8xf32>
  %up = llm.linear %n, %up_w : (tensor<?x4xf32>, tensor<8x4xf32>) -> tensor<?x8xf32>
  %act = llm.swiglu %gate, %up : tensor<?x8xf32>
  %down = llm.linear %act, %down_w alpha 2.0 : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  %out = llm.add %residual, %down : tensor<?x4xf32>
  %p = llm.gather_rows %out, %last, %pool : (tensor<?x4xf32>, tensor<2xi32>, tensor<?xi32>) -> tensor<2x4xf32>
  return %p : tensor<2x4xf32>
}

// All rows are returned too: the product stays as it is.
// CHECK-LABEL: func.func @all_rows(
// CHECK-SAME: %[[X:[^:]+]]: tensor<?x4xf32>, %[[LAST:[^:]+]]: tensor<2xi32>, %[[POOL:[^:]+]]: tensor<?xi32>) -> (tensor<?x4xf32>, tensor<2x4xf32>) {
// CHECK-NEXT: %[[W:.*]] = llm.weight "w" : tensor<4x4xf32>
// CHECK-NEXT: %[[LINEAR:.*]] = llm.linear %[[X]], %[[W]] : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
// CHECK-NEXT: %[[GATHER_ROWS:.*]] = llm.gather_rows %[[LINEAR]], %[[LAST]], %[[POOL]] : (tensor<?x4xf32>, tensor<2xi32>, tensor<?xi32>) -> tensor<2x4xf32>
// CHECK-NEXT: return %[[LINEAR]], %[[GATHER_ROWS]] : tensor<?x4xf32>, tensor<2x4xf32>
func.func @all_rows(%x: tensor<?x4xf32>, %last: tensor<2xi32>, %pool: tensor<?xi32>) -> (tensor<?x4xf32>, tensor<2x4xf32>) {
  %w = llm.weight "w" : tensor<4x4xf32>
  %y = llm.linear %x, %w : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
  %p = llm.gather_rows %y, %last, %pool : (tensor<?x4xf32>, tensor<2xi32>, tensor<?xi32>) -> tensor<2x4xf32>
  return %y, %p : tensor<?x4xf32>, tensor<2x4xf32>
}

// Two different selections of rows need more rows than either.
// CHECK-LABEL: func.func @other_rows(
// CHECK-SAME: %[[X:[^:]+]]: tensor<?x4xf32>, %[[LAST:[^:]+]]: tensor<2xi32>, %[[FIRST:[^:]+]]: tensor<2xi32>, %[[POOL:[^:]+]]: tensor<?xi32>) -> (tensor<2x4xf32>, tensor<2x4xf32>) {
// CHECK-NEXT: %[[W:.*]] = llm.weight "w" : tensor<4x4xf32>
// CHECK-NEXT: %[[LINEAR:.*]] = llm.linear %[[X]], %[[W]] : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
// CHECK-NEXT: %[[GATHER_ROWS:.*]] = llm.gather_rows %[[LINEAR]], %[[LAST]], %[[POOL]] : (tensor<?x4xf32>, tensor<2xi32>, tensor<?xi32>) -> tensor<2x4xf32>
// CHECK-NEXT: %[[GATHER_ROWS1:.*]] = llm.gather_rows %[[LINEAR]], %[[FIRST]], %[[POOL]] : (tensor<?x4xf32>, tensor<2xi32>, tensor<?xi32>) -> tensor<2x4xf32>
// CHECK-NEXT: return %[[GATHER_ROWS]], %[[GATHER_ROWS1]] : tensor<2x4xf32>, tensor<2x4xf32>
func.func @other_rows(%x: tensor<?x4xf32>, %last: tensor<2xi32>, %first: tensor<2xi32>, %pool: tensor<?xi32>) -> (tensor<2x4xf32>, tensor<2x4xf32>) {
  %w = llm.weight "w" : tensor<4x4xf32>
  %y = llm.linear %x, %w : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
  %p = llm.gather_rows %y, %last, %pool : (tensor<?x4xf32>, tensor<2xi32>, tensor<?xi32>) -> tensor<2x4xf32>
  %q = llm.gather_rows %y, %first, %pool : (tensor<?x4xf32>, tensor<2xi32>, tensor<?xi32>) -> tensor<2x4xf32>
  return %p, %q : tensor<2x4xf32>, tensor<2x4xf32>
}

// Attention mixes tokens, so the gather stops below it.
// CHECK-LABEL: func.func @mixing(
// CHECK-SAME: %[[X:[^:]+]]: tensor<?x4xf32>, %[[CU:[^:]+]]: tensor<3xi32>, %[[LAST:[^:]+]]: tensor<2xi32>, %[[POOL:[^:]+]]: tensor<?xi32>) -> tensor<2x4xf32> {
// CHECK-NEXT: %[[ATTENTION:.*]], %[[LSE:.*]] = llm.attention %[[X]], %[[X]], %[[X]], %[[CU]] heads(2) kv_heads(2) scale 5.000000e-01 : (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<3xi32>) -> (tensor<?x4xf32>, tensor<?x2xf32>)
// CHECK-NEXT: %[[GATHER_ROWS:.*]] = llm.gather_rows %[[ATTENTION]], %[[LAST]], %[[POOL]] : (tensor<?x4xf32>, tensor<2xi32>, tensor<?xi32>) -> tensor<2x4xf32>
// CHECK-NEXT: return %[[GATHER_ROWS]] : tensor<2x4xf32>
func.func @mixing(%x: tensor<?x4xf32>, %cu: tensor<3xi32>, %last: tensor<2xi32>, %pool: tensor<?xi32>) -> tensor<2x4xf32> {
  %y, %lse = llm.attention %x, %x, %x, %cu heads(2) kv_heads(2) scale 0.5
    : (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<3xi32>) -> (tensor<?x4xf32>, tensor<?x2xf32>)
  %p = llm.gather_rows %y, %last, %pool : (tensor<?x4xf32>, tensor<2xi32>, tensor<?xi32>) -> tensor<2x4xf32>
  return %p : tensor<2x4xf32>
}

// An index that is computed in the function need not be there above the op.
// CHECK-LABEL: func.func @late_index(
// CHECK-SAME: %[[X:[^:]+]]: tensor<?x4xf32>, %[[POOL:[^:]+]]: tensor<?xi32>) -> tensor<2x4xf32> {
// CHECK-NEXT: %[[W:.*]] = llm.weight "w" : tensor<4x4xf32>
// CHECK-NEXT: %[[LINEAR:.*]] = llm.linear %[[X]], %[[W]] : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
// CHECK-NEXT: %[[CONSTANT:.*]] = llm.constant dense<[3, 7]> : tensor<2xi32> : tensor<2xi32>
// CHECK-NEXT: %[[GATHER_ROWS:.*]] = llm.gather_rows %[[LINEAR]], %[[CONSTANT]], %[[POOL]] : (tensor<?x4xf32>, tensor<2xi32>, tensor<?xi32>) -> tensor<2x4xf32>
// CHECK-NEXT: return %[[GATHER_ROWS]] : tensor<2x4xf32>
func.func @late_index(%x: tensor<?x4xf32>, %pool: tensor<?xi32>) -> tensor<2x4xf32> {
  %w = llm.weight "w" : tensor<4x4xf32>
  %y = llm.linear %x, %w : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
  %last = llm.constant dense<[3, 7]> : tensor<2xi32> : tensor<2xi32>
  %p = llm.gather_rows %y, %last, %pool : (tensor<?x4xf32>, tensor<2xi32>, tensor<?xi32>) -> tensor<2x4xf32>
  return %p : tensor<2x4xf32>
}
