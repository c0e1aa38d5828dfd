// The exact backward graph: the chain rule through what leads to a parameter, and
// nothing else.
// RUN: llama-opt %s --autodiff-differentiate -split-input-file | FileCheck %s

// Two ops: from the loss down to each of two matrices. The gradient of the inner
// one goes through the outer one's frozen operand; x gets none. alpha stays.
// CHECK-LABEL: func.func @chain(
// CHECK-SAME: %[[X:[^:]+]]: tensor<8x4xf32>, %[[LABELS:[^:]+]]: tensor<8xf32>, %[[SCALE:[^:]+]]: tensor<1xf32>) -> (tensor<1xf32> {llm.output = "loss"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
// CHECK-NEXT: %[[A:.*]] = llm.parameter "a" init <zero, 0.000000e+00 : f64> : tensor<2x4xf32>
// CHECK-NEXT: %[[LINEAR:.*]] = llm.linear %[[X]], %[[A]] alpha 3.000000e+00 : (tensor<8x4xf32>, tensor<2x4xf32>) -> tensor<8x2xf32>
// CHECK-NEXT: %[[B:.*]] = llm.parameter "b" init <zero, 0.000000e+00 : f64> : tensor<1x2xf32>
// CHECK-NEXT: %[[LINEAR1:.*]] = llm.linear %[[LINEAR]], %[[B]] : (tensor<8x2xf32>, tensor<1x2xf32>) -> tensor<8x1xf32>
// CHECK-NEXT: %[[MSE:.*]] = llm.mse %[[LINEAR1]], %[[LABELS]], %[[SCALE]] : tensor<8x1xf32>, tensor<8xf32>, tensor<1xf32> -> tensor<1xf32>
// CHECK-NEXT: %[[CONSTANT:.*]] = llm.constant dense<1.000000e+00> : tensor<1xf32> : tensor<1xf32>
// CHECK-NEXT: %[[MSE_GRAD:.*]] = llm.mse_grad %[[LINEAR1]], %[[LABELS]], %[[SCALE]], %[[CONSTANT]] : tensor<8x1xf32>, tensor<8xf32>, tensor<1xf32>, tensor<1xf32>
// CHECK-NEXT: %[[MATMUL:.*]] = llm.matmul %[[MSE_GRAD]], %[[B]] : (tensor<8x1xf32>, tensor<1x2xf32>) -> tensor<8x2xf32>
// CHECK-NEXT: %[[MATMUL1:.*]] = llm.matmul %[[MSE_GRAD]], %[[LINEAR]] transpose_a : (tensor<8x1xf32>, tensor<8x2xf32>) -> tensor<1x2xf32>
// CHECK-NEXT: llm.gradient "b", %[[MATMUL1]] : tensor<1x2xf32>
// CHECK-NEXT: %[[MATMUL2:.*]] = llm.matmul %[[MATMUL]], %[[X]] transpose_a alpha 3.000000e+00 : (tensor<8x2xf32>, tensor<8x4xf32>) -> tensor<2x4xf32>
// CHECK-NEXT: llm.gradient "a", %[[MATMUL2]] : tensor<2x4xf32>
// CHECK-NEXT: return %[[MSE]] : tensor<1xf32>
func.func @chain(%x: tensor<8x4xf32>, %labels: tensor<8xf32>, %scale: tensor<1xf32>) -> (tensor<1xf32> {llm.output = "loss"})
    attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<2x4xf32>
  %t = llm.linear %x, %a alpha 3.0 : (tensor<8x4xf32>, tensor<2x4xf32>) -> tensor<8x2xf32>
  %b = llm.parameter "b" init <zero, 0.0> : tensor<1x2xf32>
  %z = llm.linear %t, %b : (tensor<8x2xf32>, tensor<1x2xf32>) -> tensor<8x1xf32>
  %loss = llm.mse %z, %labels, %scale : tensor<8x1xf32>, tensor<8xf32>, tensor<1xf32> -> tensor<1xf32>
  return %loss : tensor<1xf32>
}

// %t has two users: its gradients meet in a sum before they go on.
// CHECK-LABEL: func.func @fan_out(
// CHECK-SAME: %[[X:[^:]+]]: tensor<8x4xf32>, %[[LABELS:[^:]+]]: tensor<8xi32>, %[[SCALE:[^:]+]]: tensor<1xf32>) -> (tensor<1xf32> {llm.output = "loss"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
// CHECK-NEXT: %[[A:.*]] = llm.parameter "a" init <zero, 0.000000e+00 : f64> : tensor<4x4xf32>
// CHECK-NEXT: %[[W:.*]] = llm.weight "w" : tensor<4x4xf32>
// CHECK-NEXT: %[[LINEAR:.*]] = llm.linear %[[X]], %[[A]] : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
// CHECK-NEXT: %[[LINEAR1:.*]] = llm.linear %[[LINEAR]], %[[W]] alpha 5.000000e-01 : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
// CHECK-NEXT: %[[ADD:.*]] = llm.add %[[LINEAR]], %[[LINEAR1]] : tensor<8x4xf32>
// CHECK-NEXT: %[[CROSS_ENTROPY:.*]] = llm.cross_entropy %[[ADD]], %[[LABELS]], %[[SCALE]] : tensor<8x4xf32>, tensor<8xi32>, tensor<1xf32> -> tensor<1xf32>
// CHECK-NEXT: %[[CONSTANT:.*]] = llm.constant dense<1.000000e+00> : tensor<1xf32> : tensor<1xf32>
// CHECK-NEXT: %[[CROSS_ENTROPY_GRAD:.*]] = llm.cross_entropy_grad %[[ADD]], %[[LABELS]], %[[SCALE]], %[[CONSTANT]] : tensor<8x4xf32>, tensor<8xi32>, tensor<1xf32>, tensor<1xf32>
// CHECK-NEXT: %[[MATMUL:.*]] = llm.matmul %[[CROSS_ENTROPY_GRAD]], %[[W]] alpha 5.000000e-01 : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
// CHECK-NEXT: %[[ADD1:.*]] = llm.add %[[CROSS_ENTROPY_GRAD]], %[[MATMUL]] : tensor<8x4xf32>
// CHECK-NEXT: %[[MATMUL1:.*]] = llm.matmul %[[ADD1]], %[[X]] transpose_a : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT: llm.gradient "a", %[[MATMUL1]] : tensor<4x4xf32>
// CHECK-NEXT: return %[[CROSS_ENTROPY]] : tensor<1xf32>
func.func @fan_out(%x: tensor<8x4xf32>, %labels: tensor<8xi32>, %scale: tensor<1xf32>) -> (tensor<1xf32> {llm.output = "loss"})
    attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<4x4xf32>
  %w = llm.weight "w" : tensor<4x4xf32>
  %t = llm.linear %x, %a : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %u = llm.linear %t, %w alpha 0.5 : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %z = llm.add %t, %u : tensor<8x4xf32>
  %loss = llm.cross_entropy %z, %labels, %scale : tensor<8x4xf32>, tensor<8xi32>, tensor<1xf32> -> tensor<1xf32>
  return %loss : tensor<1xf32>
}

// One parameter of two layers gets one gradient, the sum.
// CHECK-LABEL: func.func @shared(
// CHECK-SAME: %[[X:[^:]+]]: tensor<8x4xf32>, %[[LABELS:[^:]+]]: tensor<8xi32>, %[[SCALE:[^:]+]]: tensor<1xf32>) -> (tensor<1xf32> {llm.output = "loss"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
// CHECK-NEXT: %[[A:.*]] = llm.parameter "a" init <zero, 0.000000e+00 : f64> : tensor<4x4xf32>
// CHECK-NEXT: %[[LINEAR:.*]] = llm.linear %[[X]], %[[A]] : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
// CHECK-NEXT: %[[LINEAR1:.*]] = llm.linear %[[LINEAR]], %[[A]] : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
// CHECK-NEXT: %[[CROSS_ENTROPY:.*]] = llm.cross_entropy %[[LINEAR1]], %[[LABELS]], %[[SCALE]] : tensor<8x4xf32>, tensor<8xi32>, tensor<1xf32> -> tensor<1xf32>
// CHECK-NEXT: %[[CONSTANT:.*]] = llm.constant dense<1.000000e+00> : tensor<1xf32> : tensor<1xf32>
// CHECK-NEXT: %[[CROSS_ENTROPY_GRAD:.*]] = llm.cross_entropy_grad %[[LINEAR1]], %[[LABELS]], %[[SCALE]], %[[CONSTANT]] : tensor<8x4xf32>, tensor<8xi32>, tensor<1xf32>, tensor<1xf32>
// CHECK-NEXT: %[[MATMUL:.*]] = llm.matmul %[[CROSS_ENTROPY_GRAD]], %[[A]] : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
// CHECK-NEXT: %[[MATMUL1:.*]] = llm.matmul %[[CROSS_ENTROPY_GRAD]], %[[LINEAR]] transpose_a : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT: %[[MATMUL2:.*]] = llm.matmul %[[MATMUL]], %[[X]] transpose_a : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT: %[[ADD:.*]] = llm.add %[[MATMUL1]], %[[MATMUL2]] : tensor<4x4xf32>
// CHECK-NEXT: llm.gradient "a", %[[ADD]] : tensor<4x4xf32>
// CHECK-NEXT: return %[[CROSS_ENTROPY]] : tensor<1xf32>
func.func @shared(%x: tensor<8x4xf32>, %labels: tensor<8xi32>, %scale: tensor<1xf32>) -> (tensor<1xf32> {llm.output = "loss"})
    attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<4x4xf32>
  %t = llm.linear %x, %a : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %z = llm.linear %t, %a : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %loss = llm.cross_entropy %z, %labels, %scale : tensor<8x4xf32>, tensor<8xi32>, tensor<1xf32> -> tensor<1xf32>
  return %loss : tensor<1xf32>
}

// A decoder in small. The first block is frozen: nothing flows below its end,
// though it is full of matrices. In the second, a factor trains on v alone, so
// neither q nor k nor the norm below v gets a gradient. On the way from the loss
// stand every other rule: gather, rms_norm, swiglu, rope, dropout, attention.
// CHECK-LABEL: func.func @activity(
// CHECK-SAME: %[[IDS:[^:]+]]: tensor<8xi32>, %[[POSITIONS:[^:]+]]: tensor<8xi32>, %[[CU:[^:]+]]: tensor<3xi32>, %[[LAST:[^:]+]]: tensor<2xi32>, %[[POOL:[^:]+]]: tensor<8xi32>, %[[LABELS:[^:]+]]: tensor<2xi32>, %[[SCALE:[^:]+]]: tensor<1xf32>, %[[RANDOM:[^:]+]]: tensor<2xi64>) -> (tensor<1xf32> {llm.output = "loss"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
// CHECK-NEXT: %[[EMBED:.*]] = llm.weight "embed" : tensor<16x4xf32>
// CHECK-NEXT: %[[EMBEDDING:.*]] = llm.embedding %[[IDS]], %[[EMBED]] : (tensor<8xi32>, tensor<16x4xf32>) -> tensor<8x4xf32>
// CHECK-NEXT: %[[W:.*]] = llm.weight "w" : tensor<4x4xf32>
// CHECK-NEXT: %[[LINEAR:.*]] = llm.linear %[[EMBEDDING]], %[[W]] : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
// CHECK-NEXT: %[[LINEAR1:.*]] = llm.linear %[[LINEAR]], %[[W]] : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
// CHECK-NEXT: %[[NORM:.*]] = llm.weight "norm" : tensor<4xf32>
// CHECK-NEXT: %[[RMS_NORM:.*]] = llm.rms_norm %[[LINEAR1]], %[[NORM]] eps 1.000000e-05 : tensor<8x4xf32>, tensor<4xf32>
// CHECK-NEXT: %[[COS:.*]], %[[SIN:.*]] = llm.rope_table %[[POSITIONS]] theta 1.000000e+04 max_positions 8 : tensor<8xi32> -> tensor<8x1xf32>
// CHECK-NEXT: %[[ROPE:.*]] = llm.rope %[[RMS_NORM]], %[[COS]], %[[SIN]] : tensor<8x4xf32>, tensor<8x1xf32>
// CHECK-NEXT: %[[A:.*]] = llm.parameter "a" init <zero, 0.000000e+00 : f64> : tensor<4x4xf32>
// CHECK-NEXT: %[[DROPOUT:.*]] = llm.dropout %[[RMS_NORM]], %[[RANDOM]] key "d" p 1.000000e-01 : tensor<8x4xf32>, tensor<2xi64>
// CHECK-NEXT: %[[LINEAR2:.*]] = llm.linear %[[DROPOUT]], %[[A]] : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
// CHECK-NEXT: %[[ATTENTION:.*]], %[[LSE:.*]] = llm.attention %[[ROPE]], %[[ROPE]], %[[LINEAR2]], %[[CU]] heads(2) kv_heads(2) scale 5.000000e-01 : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>, tensor<3xi32>) -> (tensor<8x4xf32>, tensor<8x2xf32>)
// CHECK-NEXT: %[[ROPE1:.*]] = llm.rope %[[ATTENTION]], %[[COS]], %[[SIN]] : tensor<8x4xf32>, tensor<8x1xf32>
// CHECK-NEXT: %[[DROPOUT1:.*]] = llm.dropout %[[ROPE1]], %[[RANDOM]] key "e" p 2.000000e-01 : tensor<8x4xf32>, tensor<2xi64>
// CHECK-NEXT: %[[SWIGLU:.*]] = llm.swiglu %[[DROPOUT1]], %[[LINEAR1]] : tensor<8x4xf32>
// CHECK-NEXT: %[[RMS_NORM1:.*]] = llm.rms_norm %[[SWIGLU]], %[[NORM]] eps 1.000000e-05 : tensor<8x4xf32>, tensor<4xf32>
// CHECK-NEXT: %[[GATHER_ROWS:.*]] = llm.gather_rows %[[RMS_NORM1]], %[[LAST]], %[[POOL]] : (tensor<8x4xf32>, tensor<2xi32>, tensor<8xi32>) -> tensor<2x4xf32>
// CHECK-NEXT: %[[CROSS_ENTROPY:.*]] = llm.cross_entropy %[[GATHER_ROWS]], %[[LABELS]], %[[SCALE]] : tensor<2x4xf32>, tensor<2xi32>, tensor<1xf32> -> tensor<1xf32>
// CHECK-NEXT: %[[CONSTANT:.*]] = llm.constant dense<1.000000e+00> : tensor<1xf32> : tensor<1xf32>
// CHECK-NEXT: %[[CROSS_ENTROPY_GRAD:.*]] = llm.cross_entropy_grad %[[GATHER_ROWS]], %[[LABELS]], %[[SCALE]], %[[CONSTANT]] : tensor<2x4xf32>, tensor<2xi32>, tensor<1xf32>, tensor<1xf32>
// CHECK-NEXT: %[[SCATTER_ROWS:.*]] = llm.scatter_rows %[[CROSS_ENTROPY_GRAD]], %[[POOL]] : (tensor<2x4xf32>, tensor<8xi32>) -> tensor<8x4xf32>
// CHECK-NEXT: %[[RMS_NORM_GRAD:.*]] = llm.rms_norm_grad %[[SWIGLU]], %[[NORM]], %[[SCATTER_ROWS]] eps 1.000000e-05 : tensor<8x4xf32>, tensor<4xf32>
// CHECK-NEXT: %[[DGATE:.*]], %[[DUP:.*]] = llm.swiglu_grad %[[DROPOUT1]], %[[LINEAR1]], %[[RMS_NORM_GRAD]] : tensor<8x4xf32>
// CHECK-NEXT: %[[DROPOUT2:.*]] = llm.dropout %[[DGATE]], %[[RANDOM]] key "e" p 2.000000e-01 : tensor<8x4xf32>, tensor<2xi64>
// CHECK-NEXT: %[[ROPE2:.*]] = llm.rope %[[DROPOUT2]], %[[COS]], %[[SIN]] inverse : tensor<8x4xf32>, tensor<8x1xf32>
// CHECK-NEXT: %[[DQ:.*]], %[[DK:.*]], %[[DV:.*]] = llm.attention_grad %[[ROPE]], %[[ROPE]], %[[LINEAR2]], %[[CU]], %[[ATTENTION]], %[[LSE]], %[[ROPE2]] heads(2) kv_heads(2) scale 5.000000e-01 : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>, tensor<3xi32>, tensor<8x4xf32>, tensor<8x2xf32>, tensor<8x4xf32>) -> (tensor<8x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>)
// CHECK-NEXT: %[[MATMUL:.*]] = llm.matmul %[[DV]], %[[DROPOUT]] transpose_a : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT: llm.gradient "a", %[[MATMUL]] : tensor<4x4xf32>
// CHECK-NEXT: return %[[CROSS_ENTROPY]] : tensor<1xf32>
func.func @activity(%ids: tensor<8xi32>, %positions: tensor<8xi32>, %cu: tensor<3xi32>, %last: tensor<2xi32>,
                    %pool: tensor<8xi32>, %labels: tensor<2xi32>, %scale: tensor<1xf32>, %random: tensor<2xi64>)
    -> (tensor<1xf32> {llm.output = "loss"})
    attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
  %table = llm.weight "embed" : tensor<16x4xf32>
  %x = llm.embedding %ids, %table : (tensor<8xi32>, tensor<16x4xf32>) -> tensor<8x4xf32>
  %w = llm.weight "w" : tensor<4x4xf32>
  %below = llm.linear %x, %w : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %h = llm.linear %below, %w : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %norm_w = llm.weight "norm" : tensor<4xf32>
  %n = llm.rms_norm %h, %norm_w eps 1.0e-05 : tensor<8x4xf32>, tensor<4xf32>
  %cos, %sin = llm.rope_table %positions theta 1.0e+04 max_positions 8 : tensor<8xi32> -> tensor<8x1xf32>
  %q = llm.rope %n, %cos, %sin : tensor<8x4xf32>, tensor<8x1xf32>
  %a = llm.parameter "a" init <zero, 0.0> : tensor<4x4xf32>
  %d = llm.dropout %n, %random key "d" p 0.1 : tensor<8x4xf32>, tensor<2xi64>
  %v = llm.linear %d, %a : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %mixed, %lse = llm.attention %q, %q, %v, %cu heads(2) kv_heads(2) scale 0.5
    : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>, tensor<3xi32>) -> (tensor<8x4xf32>, tensor<8x2xf32>)
  %turned = llm.rope %mixed, %cos, %sin : tensor<8x4xf32>, tensor<8x1xf32>
  %dropped = llm.dropout %turned, %random key "e" p 0.2 : tensor<8x4xf32>, tensor<2xi64>
  %gated = llm.swiglu %dropped, %h : tensor<8x4xf32>
  %normed = llm.rms_norm %gated, %norm_w eps 1.0e-05 : tensor<8x4xf32>, tensor<4xf32>
  %pooled = llm.gather_rows %normed, %last, %pool : (tensor<8x4xf32>, tensor<2xi32>, tensor<8xi32>) -> tensor<2x4xf32>
  %loss = llm.cross_entropy %pooled, %labels, %scale : tensor<2x4xf32>, tensor<2xi32>, tensor<1xf32> -> tensor<1xf32>
  return %loss : tensor<1xf32>
}

// A parameter the loss does not see has no gradient; evaluation has none at all.
// CHECK-LABEL: func.func @unused(
// CHECK-SAME: %[[X:[^:]+]]: tensor<8x4xf32>, %[[LABELS:[^:]+]]: tensor<8xi32>, %[[SCALE:[^:]+]]: tensor<1xf32>) -> (tensor<1xf32> {llm.output = "loss"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
// CHECK-NEXT: %[[B:.*]] = llm.parameter "b" init <zero, 0.000000e+00 : f64> : tensor<4x4xf32>
// CHECK-NEXT: %[[A:.*]] = llm.parameter "a" init <zero, 0.000000e+00 : f64> : tensor<4x4xf32>
// CHECK-NEXT: %[[LINEAR:.*]] = llm.linear %[[X]], %[[B]] : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
// CHECK-NEXT: %[[LINEAR1:.*]] = llm.linear %[[X]], %[[A]] : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
// CHECK-NEXT: %[[CROSS_ENTROPY:.*]] = llm.cross_entropy %[[LINEAR1]], %[[LABELS]], %[[SCALE]] : tensor<8x4xf32>, tensor<8xi32>, tensor<1xf32> -> tensor<1xf32>
// CHECK-NEXT: %[[CONSTANT:.*]] = llm.constant dense<1.000000e+00> : tensor<1xf32> : tensor<1xf32>
// CHECK-NEXT: %[[CROSS_ENTROPY_GRAD:.*]] = llm.cross_entropy_grad %[[LINEAR1]], %[[LABELS]], %[[SCALE]], %[[CONSTANT]] : tensor<8x4xf32>, tensor<8xi32>, tensor<1xf32>, tensor<1xf32>
// CHECK-NEXT: %[[MATMUL:.*]] = llm.matmul %[[CROSS_ENTROPY_GRAD]], %[[X]] transpose_a : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT: llm.gradient "a", %[[MATMUL]] : tensor<4x4xf32>
// CHECK-NEXT: return %[[CROSS_ENTROPY]] : tensor<1xf32>
func.func @unused(%x: tensor<8x4xf32>, %labels: tensor<8xi32>, %scale: tensor<1xf32>) -> (tensor<1xf32> {llm.output = "loss"})
    attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %b = llm.parameter "b" init <zero, 0.0> : tensor<4x4xf32>
  %a = llm.parameter "a" init <zero, 0.0> : tensor<4x4xf32>
  %other = llm.linear %x, %b : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %z = llm.linear %x, %a : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %loss = llm.cross_entropy %z, %labels, %scale : tensor<8x4xf32>, tensor<8xi32>, tensor<1xf32> -> tensor<1xf32>
  return %loss : tensor<1xf32>
}
// CHECK-LABEL: func.func @evaluate(
// CHECK-NOT: llm.gradient
// CHECK: llm.cross_entropy
// CHECK-NEXT: return
func.func @evaluate(%x: tensor<8x4xf32>, %labels: tensor<8xi32>, %scale: tensor<1xf32>) -> (tensor<1xf32> {llm.output = "loss"})
    attributes {llm.program = #llm.program<evaluate, tokens = 8, sequences = 8>} {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<4x4xf32>
  %z = llm.linear %x, %a : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %loss = llm.cross_entropy %z, %labels, %scale : tensor<8x4xf32>, tensor<8xi32>, tensor<1xf32> -> tensor<1xf32>
  return %loss : tensor<1xf32>
}

// -----

// With micro-batches every training program adds to what is there.
module attributes {llm.task = #llm.task<name = "t", head = regression, labels = 1, batch = 8, max_length = 8, accumulation = 4>} {
// CHECK-LABEL: func.func @accumulate_8(
// CHECK-SAME: %[[X:[^:]+]]: tensor<8x4xf32>, %[[LABELS:[^:]+]]: tensor<8xf32>, %[[SCALE:[^:]+]]: tensor<1xf32>) -> (tensor<1xf32> {llm.output = "loss"}) attributes {llm.program = #llm.program<accumulate, tokens = 8, sequences = 8>} {
// CHECK-NEXT: %[[A:.*]] = llm.parameter "a" init <zero, 0.000000e+00 : f64> : tensor<1x4xf32>
// CHECK-NEXT: %[[LINEAR:.*]] = llm.linear %[[X]], %[[A]] : (tensor<8x4xf32>, tensor<1x4xf32>) -> tensor<8x1xf32>
// CHECK-NEXT: %[[MSE:.*]] = llm.mse %[[LINEAR]], %[[LABELS]], %[[SCALE]] : tensor<8x1xf32>, tensor<8xf32>, tensor<1xf32> -> tensor<1xf32>
// CHECK-NEXT: %[[CONSTANT:.*]] = llm.constant dense<1.000000e+00> : tensor<1xf32> : tensor<1xf32>
// CHECK-NEXT: %[[MSE_GRAD:.*]] = llm.mse_grad %[[LINEAR]], %[[LABELS]], %[[SCALE]], %[[CONSTANT]] : tensor<8x1xf32>, tensor<8xf32>, tensor<1xf32>, tensor<1xf32>
// CHECK-NEXT: %[[MATMUL:.*]] = llm.matmul %[[MSE_GRAD]], %[[X]] transpose_a : (tensor<8x1xf32>, tensor<8x4xf32>) -> tensor<1x4xf32>
// CHECK-NEXT: %[[PENDING_A:.*]] = llm.pending_gradient "a" : tensor<1x4xf32>
// CHECK-NEXT: %[[ADD:.*]] = llm.add %[[PENDING_A]], %[[MATMUL]] : tensor<1x4xf32>
// CHECK-NEXT: llm.gradient "a", %[[ADD]] : tensor<1x4xf32>
// CHECK-NEXT: return %[[MSE]] : tensor<1xf32>
func.func @accumulate_8(%x: tensor<8x4xf32>, %labels: tensor<8xf32>, %scale: tensor<1xf32>) -> (tensor<1xf32> {llm.output = "loss"})
    attributes {llm.program = #llm.program<accumulate, tokens = 8, sequences = 8>} {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<1x4xf32>
  %z = llm.linear %x, %a : (tensor<8x4xf32>, tensor<1x4xf32>) -> tensor<8x1xf32>
  %loss = llm.mse %z, %labels, %scale : tensor<8x1xf32>, tensor<8xf32>, tensor<1xf32> -> tensor<1xf32>
  return %loss : tensor<1xf32>
}
// CHECK-LABEL: func.func @train_8(
// CHECK: %[[OLD:.*]] = llm.pending_gradient "a" : tensor<1x4xf32>
// CHECK-NEXT: %[[SUM:.*]] = llm.add %[[OLD]], %{{.*}} : tensor<1x4xf32>
// CHECK-NEXT: llm.gradient "a", %[[SUM]]
func.func @train_8(%x: tensor<8x4xf32>, %labels: tensor<8xf32>, %scale: tensor<1xf32>) -> (tensor<1xf32> {llm.output = "loss"})
    attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<1x4xf32>
  %z = llm.linear %x, %a : (tensor<8x4xf32>, tensor<1x4xf32>) -> tensor<8x1xf32>
  %loss = llm.mse %z, %labels, %scale : tensor<8x1xf32>, tensor<8xf32>, tensor<1xf32> -> tensor<1xf32>
  return %loss : tensor<1xf32>
}
}

// -----

// A program that its model brought: the gradient of an input is returned, and a
// parameter of bf16 has a gradient of bf16.
// CHECK-LABEL: func.func @own(
// CHECK-SAME: %[[X:[^:]+]]: tensor<8x4xbf16> {llm.input = "x"}, %[[SCALE:[^:]+]]: tensor<1xf32>) -> (tensor<1xf32> {llm.output = "loss"}, tensor<8x4xbf16> {llm.output = "dx"})
// CHECK-NEXT: %[[W:.*]] = llm.parameter "w"
// CHECK-NEXT: %[[Y:.*]] = llm.linear %[[X]], %[[W]]
// CHECK-NEXT: %[[LOSS:.*]] = llm.sum %[[Y]], %[[SCALE]]
// CHECK-NEXT: %[[ONE:.*]] = llm.constant dense<1.000000e+00>
// CHECK-NEXT: %[[DY:.*]] = llm.sum_grad %[[Y]], %[[SCALE]], %[[ONE]] : tensor<8x6xbf16>, tensor<1xf32>, tensor<1xf32>
// CHECK-NEXT: %[[DX:.*]] = llm.matmul %[[DY]], %[[W]] : (tensor<8x6xbf16>, tensor<6x4xbf16>) -> tensor<8x4xbf16>
// CHECK-NEXT: %[[DW:.*]] = llm.matmul %[[DY]], %[[X]] transpose_a : (tensor<8x6xbf16>, tensor<8x4xbf16>) -> tensor<6x4xbf16>
// CHECK-NEXT: llm.gradient "w", %[[DW]] : tensor<6x4xbf16>
// CHECK-NEXT: return %[[LOSS]], %[[DX]] : tensor<1xf32>, tensor<8x4xbf16>
func.func @own(%x: tensor<8x4xbf16> {llm.input = "x", llm.gradient = "dx"}, %scale: tensor<1xf32>) -> (tensor<1xf32> {llm.output = "loss"})
    attributes {llm.program = #llm.program<gradient, tokens = 8, sequences = 8>} {
  %w = llm.parameter "w" init <zero, 0.0> : tensor<6x4xbf16>
  %y = llm.linear %x, %w : (tensor<8x4xbf16>, tensor<6x4xbf16>) -> tensor<8x6xbf16>
  %loss = llm.sum %y, %scale : tensor<8x6xbf16>, tensor<1xf32> -> tensor<1xf32>
  return %loss : tensor<1xf32>
}

// -----

// What is watched has a gradient though no parameter lies below, and its weight,
// for a moment; both leave statistics. The op goes. Of kind probe: no gradient of
// the parameter is stored, and dx not made.
// CHECK-LABEL: func.func @probe_8(
// CHECK-SAME: %[[X:[^:]+]]: tensor<8x4xf32>, %[[SCALE:[^:]+]]: tensor<1xf32>) -> (tensor<1xf32> {llm.output = "loss"}, tensor<8x4xf32> {llm.output = "q_proj:output_gradient"}, tensor<3xf32> {llm.output = "q_proj:weight_gradient"})
// CHECK-NEXT: %[[W:.*]] = llm.weight "q_proj.weight" : tensor<6x4xf32>
// CHECK-NEXT: %[[Y:.*]] = llm.linear %[[X]], %[[W]]
// CHECK-NEXT: %[[A:.*]] = llm.parameter "score.weight"
// CHECK-NEXT: %[[Z:.*]] = llm.linear %[[Y]], %[[A]]
// CHECK-NEXT: %[[LOSS:.*]] = llm.sum %[[Z]], %[[SCALE]]
// CHECK-NEXT: %[[ONE:.*]] = llm.constant
// CHECK-NEXT: %[[DZ:.*]] = llm.sum_grad
// CHECK-NEXT: %[[DY:.*]] = llm.matmul %[[DZ]], %[[A]] : (tensor<8x2xf32>, tensor<2x6xf32>) -> tensor<8x6xf32>
// CHECK-NEXT: %{{.*}} = llm.matmul %[[DZ]], %[[Y]] transpose_a
// CHECK-NEXT: %[[DW:.*]] = llm.matmul %[[DY]], %[[X]] transpose_a : (tensor<8x6xf32>, tensor<8x4xf32>) -> tensor<6x4xf32>
// CHECK-NEXT: %[[NORMS:.*]] = llm.probe_weight %[[DW]], %[[W]]
// CHECK-NEXT: %[[ROWS:.*]] = llm.probe %[[DY]] threshold 0.000000e+00 : tensor<8x6xf32> -> tensor<8x4xf32>
// CHECK-NEXT: return %[[LOSS]], %[[ROWS]], %[[NORMS]]
func.func @probe_8(%x: tensor<8x4xf32>, %scale: tensor<1xf32>) -> (tensor<1xf32> {llm.output = "loss"})
    attributes {llm.program = #llm.program<probe, tokens = 8, sequences = 8>} {
  %w = llm.weight "q_proj.weight" : tensor<6x4xf32>
  %y = llm.linear %x, %w : (tensor<8x4xf32>, tensor<6x4xf32>) -> tensor<8x6xf32>
  %watched = llm.watch "q_proj" %y of %x, %w : tensor<8x6xf32>, tensor<8x4xf32>, tensor<6x4xf32>
  %a = llm.parameter "score.weight" init <zero, 0.0> : tensor<2x6xf32>
  %z = llm.linear %watched, %a : (tensor<8x6xf32>, tensor<2x6xf32>) -> tensor<8x2xf32>
  %loss = llm.sum %z, %scale : tensor<8x2xf32>, tensor<1xf32> -> tensor<1xf32>
  return %loss : tensor<1xf32>
}
