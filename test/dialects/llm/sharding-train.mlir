// How losses, gradients and the optimizer split.
// One annotation on one value of each, and what follows for the others. The axes
// right before an op are those of its operands, the given ones first; right after
// it, those of its results, the last result's first.
// RUN: llama-opt %s --pass-pipeline="builtin.module(func.func(sharding-propagation))" | FileCheck %s --implicit-check-not=split_axes

shard.grid @grid(shape = 2x2)

// CHECK-LABEL: func.func @rms_norm_grad(
func.func @rms_norm_grad(%a0: tensor<8x64xf32>, %a1: tensor<64xf32>, %a2: tensor<8x64xf32>) -> tensor<8x64xf32> {
  %s2 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b2 = shard.shard %a2 to %s2 annotate_for_users : tensor<8x64xf32>
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.rms_norm_grad 
  // CHECK: split_axes = {{\[\[}}0]] :
  %r0 = llm.rms_norm_grad %a0, %a1, %b2 eps 1.0e-05 : tensor<8x64xf32>, tensor<64xf32>
  return %r0 : tensor<8x64xf32>
}

// CHECK-LABEL: func.func @rms_norm_grad_weight(
func.func @rms_norm_grad_weight(%a0: tensor<8x64xf32>, %a1: tensor<64xf32>, %a2: tensor<8x64xf32>)
    -> tensor<8x64xf32> {
  %s1 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b1 = shard.shard %a1 to %s1 annotate_for_users : tensor<64xf32>
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.rms_norm_grad 
  // CHECK: split_axes = {{\[\[}}]] :
  %r0 = llm.rms_norm_grad %a0, %b1, %a2 eps 1.0e-05 : tensor<8x64xf32>, tensor<64xf32>
  return %r0 : tensor<8x64xf32>
}

// CHECK-LABEL: func.func @matmul(
func.func @matmul(%a0: tensor<8x64xf32>, %a1: tensor<64x32xf32>) -> tensor<8x32xf32> {
  %s0 = shard.sharding @grid split_axes = [[], [0]] : !shard.sharding
  %b0 = shard.shard %a0 to %s0 annotate_for_users : tensor<8x64xf32>
  // CHECK: split_axes = {{\[\[}}], [0]] :
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: llm.matmul 
  // CHECK: split_axes = {{\[\[}}]] :
  %r0 = llm.matmul %b0, %a1 : (tensor<8x64xf32>, tensor<64x32xf32>) -> tensor<8x32xf32>
  return %r0 : tensor<8x32xf32>
}

// CHECK-LABEL: func.func @matmul_transpose_a(
func.func @matmul_transpose_a(%a0: tensor<64x8xf32>, %a1: tensor<64x32xf32>) -> tensor<8x32xf32> {
  %s0 = shard.sharding @grid split_axes = [[], [0]] : !shard.sharding
  %b0 = shard.shard %a0 to %s0 annotate_for_users : tensor<64x8xf32>
  // CHECK: split_axes = {{\[\[}}], [0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.matmul 
  // CHECK: split_axes = {{\[\[}}0]] :
  %r0 = llm.matmul %b0, %a1 transpose_a : (tensor<64x8xf32>, tensor<64x32xf32>) -> tensor<8x32xf32>
  return %r0 : tensor<8x32xf32>
}

// CHECK-LABEL: func.func @matmul_transpose_b(
func.func @matmul_transpose_b(%a0: tensor<8x64xf32>, %a1: tensor<32x64xf32>) -> tensor<8x32xf32> {
  %s1 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b1 = shard.shard %a1 to %s1 annotate_for_users : tensor<32x64xf32>
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.matmul 
  // CHECK: split_axes = {{\[\[}}], [0]] :
  %r0 = llm.matmul %a0, %b1 transpose_b : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  return %r0 : tensor<8x32xf32>
}

// CHECK-LABEL: func.func @matmul_transpose_both(
func.func @matmul_transpose_both(%a0: tensor<64x8xf32>, %a1: tensor<32x64xf32>) -> tensor<8x32xf32> {
  %s0 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b0 = shard.shard %a0 to %s0 annotate_for_users : tensor<64x8xf32>
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}], [0]] :
  // CHECK: llm.matmul 
  // CHECK: split_axes = {{\[\[}}]] :
  %r0 = llm.matmul %b0, %a1 transpose_a transpose_b : (tensor<64x8xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  return %r0 : tensor<8x32xf32>
}

// What is added once cannot be a term of each device's sum.
// CHECK-LABEL: func.func @matmul_accumulate(
func.func @matmul_accumulate(%a0: tensor<8x64xf32>, %a1: tensor<64x32xf32>, %a2: tensor<8x32xf32>)
    -> tensor<8x32xf32> {
  %s1 = shard.sharding @grid split_axes = [[], [0]] : !shard.sharding
  %b1 = shard.shard %a1 to %s1 annotate_for_users : tensor<64x32xf32>
  // CHECK: split_axes = {{\[\[}}], [0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}], [0]] :
  // CHECK: llm.matmul 
  // CHECK: split_axes = {{\[\[}}], [0]] :
  %r0 = llm.matmul %a0, %b1 accumulate(%a2)
      : (tensor<8x64xf32>, tensor<64x32xf32>, tensor<8x32xf32>) -> tensor<8x32xf32>
  return %r0 : tensor<8x32xf32>
}

// CHECK-LABEL: func.func @matmul_accumulate_inner(
func.func @matmul_accumulate_inner(%a0: tensor<8x64xf32>, %a1: tensor<64x32xf32>, %a2: tensor<8x32xf32>)
    -> tensor<8x32xf32> {
  %s1 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b1 = shard.shard %a1 to %s1 annotate_for_users : tensor<64x32xf32>
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.matmul 
  // CHECK: split_axes = {{\[\[}}]] :
  %r0 = llm.matmul %a0, %b1 accumulate(%a2)
      : (tensor<8x64xf32>, tensor<64x32xf32>, tensor<8x32xf32>) -> tensor<8x32xf32>
  return %r0 : tensor<8x32xf32>
}

// CHECK-LABEL: func.func @attention_grad(
func.func @attention_grad(%a0: tensor<8x64xf32>, %a1: tensor<8x32xf32>, %a2: tensor<8x32xf32>, %a3: tensor<3xi32>, %a4: tensor<8x64xf32>, %a5: tensor<8x4xf32>, %a6: tensor<8x64xf32>)
    -> (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>) {
  %s6 = shard.sharding @grid split_axes = [[], [1]] : !shard.sharding
  %b6 = shard.shard %a6 to %s6 annotate_for_users : tensor<8x64xf32>
  // CHECK: split_axes = {{\[\[}}], [1]] :
  // CHECK: split_axes = {{\[\[}}], [1]] :
  // CHECK: split_axes = {{\[\[}}], [1]] :
  // CHECK: split_axes = {{\[\[}}], [1]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}], [1]] :
  // CHECK: split_axes = {{\[\[}}], [1]] :
  // CHECK: llm.attention_grad 
  // CHECK: split_axes = {{\[\[}}], [1]] :
  // CHECK: split_axes = {{\[\[}}], [1]] :
  // CHECK: split_axes = {{\[\[}}], [1]] :
  %r0, %r1, %r2 = llm.attention_grad %a0, %a1, %a2, %a3, %a4, %a5, %b6 heads(4) kv_heads(2) scale 0.25
      : (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<3xi32>, tensor<8x64xf32>, tensor<8x4xf32>, tensor<8x64xf32>)
          -> (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>)
  return %r0, %r1, %r2 : tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>
}

// CHECK-LABEL: func.func @swiglu_grad(
func.func @swiglu_grad(%a0: tensor<8x96xf32>, %a1: tensor<8x96xf32>, %a2: tensor<8x96xf32>)
    -> (tensor<8x96xf32>, tensor<8x96xf32>) {
  %s2 = shard.sharding @grid split_axes = [[0], [1]] : !shard.sharding
  %b2 = shard.shard %a2 to %s2 annotate_for_users : tensor<8x96xf32>
  // CHECK: split_axes = {{\[\[}}0], [1]] :
  // CHECK: split_axes = {{\[\[}}0], [1]] :
  // CHECK: split_axes = {{\[\[}}0], [1]] :
  // CHECK: llm.swiglu_grad 
  // CHECK: split_axes = {{\[\[}}0], [1]] :
  // CHECK: split_axes = {{\[\[}}0], [1]] :
  %r0, %r1 = llm.swiglu_grad %a0, %a1, %b2 : tensor<8x96xf32>
  return %r0, %r1 : tensor<8x96xf32>, tensor<8x96xf32>
}

// CHECK-LABEL: func.func @scatter_rows_from_split(
func.func @scatter_rows_from_split(%a0: tensor<2x64xf32>, %a1: tensor<8xi32>) -> tensor<8x64xf32> {
  %s0 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b0 = shard.shard %a0 to %s0 annotate_for_users : tensor<2x64xf32>
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.scatter_rows 
  // CHECK: split_axes = {{\[\[}}]] :
  %r0 = llm.scatter_rows %b0, %a1 : (tensor<2x64xf32>, tensor<8xi32>) -> tensor<8x64xf32>
  return %r0 : tensor<8x64xf32>
}

// CHECK-LABEL: func.func @scatter_rows_to_split(
func.func @scatter_rows_to_split(%a0: tensor<2x64xf32>, %a1: tensor<8xi32>) -> tensor<8x64xf32> {
  %s1 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b1 = shard.shard %a1 to %s1 annotate_for_users : tensor<8xi32>
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.scatter_rows 
  // CHECK: split_axes = {{\[\[}}0]] :
  %r0 = llm.scatter_rows %a0, %b1 : (tensor<2x64xf32>, tensor<8xi32>) -> tensor<8x64xf32>
  return %r0 : tensor<8x64xf32>
}

// CHECK-LABEL: func.func @scatter_rows_columns(
func.func @scatter_rows_columns(%a0: tensor<2x64xf32>, %a1: tensor<8xi32>) -> tensor<8x64xf32> {
  %s0 = shard.sharding @grid split_axes = [[], [0]] : !shard.sharding
  %b0 = shard.shard %a0 to %s0 annotate_for_users : tensor<2x64xf32>
  // CHECK: split_axes = {{\[\[}}], [0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.scatter_rows 
  // CHECK: split_axes = {{\[\[}}], [0]] :
  %r0 = llm.scatter_rows %b0, %a1 : (tensor<2x64xf32>, tensor<8xi32>) -> tensor<8x64xf32>
  return %r0 : tensor<8x64xf32>
}

// The loss is a sum over rows; a row's softmax needs all columns.
// CHECK-LABEL: func.func @cross_entropy(
func.func @cross_entropy(%a0: tensor<8x2xf32>, %a1: tensor<8xi32>, %a2: tensor<1xf32>) -> tensor<1xf32> {
  %s1 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b1 = shard.shard %a1 to %s1 annotate_for_users : tensor<8xi32>
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.cross_entropy 
  // CHECK: split_axes = {{\[\[}}]] :
  %r0 = llm.cross_entropy %a0, %b1, %a2 : tensor<8x2xf32>, tensor<8xi32>, tensor<1xf32> -> tensor<1xf32>
  return %r0 : tensor<1xf32>
}

// CHECK-LABEL: func.func @cross_entropy_columns(
func.func @cross_entropy_columns(%a0: tensor<8x2xf32>, %a1: tensor<8xi32>, %a2: tensor<1xf32>) -> tensor<1xf32> {
  %s0 = shard.sharding @grid split_axes = [[], [0]] : !shard.sharding
  %b0 = shard.shard %a0 to %s0 annotate_for_users : tensor<8x2xf32>
  // CHECK: split_axes = {{\[\[}}], [0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.cross_entropy 
  // CHECK: split_axes = {{\[\[}}]] :
  %r0 = llm.cross_entropy %b0, %a1, %a2 : tensor<8x2xf32>, tensor<8xi32>, tensor<1xf32> -> tensor<1xf32>
  return %r0 : tensor<1xf32>
}

// CHECK-LABEL: func.func @cross_entropy_grad(
func.func @cross_entropy_grad(%a0: tensor<8x2xf32>, %a1: tensor<8xi32>, %a2: tensor<1xf32>, %a3: tensor<1xf32>)
    -> tensor<8x2xf32> {
  %s0 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b0 = shard.shard %a0 to %s0 annotate_for_users : tensor<8x2xf32>
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.cross_entropy_grad 
  // CHECK: split_axes = {{\[\[}}0]] :
  %r0 = llm.cross_entropy_grad %b0, %a1, %a2, %a3 : tensor<8x2xf32>, tensor<8xi32>, tensor<1xf32>, tensor<1xf32>
  return %r0 : tensor<8x2xf32>
}

// CHECK-LABEL: func.func @cross_entropy_grad_columns(
func.func @cross_entropy_grad_columns(%a0: tensor<8x2xf32>, %a1: tensor<8xi32>, %a2: tensor<1xf32>, %a3: tensor<1xf32>)
    -> tensor<8x2xf32> {
  %s0 = shard.sharding @grid split_axes = [[], [0]] : !shard.sharding
  %b0 = shard.shard %a0 to %s0 annotate_for_users : tensor<8x2xf32>
  // CHECK: split_axes = {{\[\[}}], [0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.cross_entropy_grad 
  // CHECK: split_axes = {{\[\[}}]] :
  %r0 = llm.cross_entropy_grad %b0, %a1, %a2, %a3 : tensor<8x2xf32>, tensor<8xi32>, tensor<1xf32>, tensor<1xf32>
  return %r0 : tensor<8x2xf32>
}

// CHECK-LABEL: func.func @mse(
func.func @mse(%a0: tensor<8x1xf32>, %a1: tensor<8xf32>, %a2: tensor<1xf32>) -> tensor<1xf32> {
  %s0 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b0 = shard.shard %a0 to %s0 annotate_for_users : tensor<8x1xf32>
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.mse 
  // CHECK: split_axes = {{\[\[}}]] :
  %r0 = llm.mse %b0, %a1, %a2 : tensor<8x1xf32>, tensor<8xf32>, tensor<1xf32> -> tensor<1xf32>
  return %r0 : tensor<1xf32>
}

// CHECK-LABEL: func.func @mse_grad(
func.func @mse_grad(%a0: tensor<8x1xf32>, %a1: tensor<8xf32>, %a2: tensor<1xf32>, %a3: tensor<1xf32>)
    -> tensor<8x1xf32> {
  %s1 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b1 = shard.shard %a1 to %s1 annotate_for_users : tensor<8xf32>
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.mse_grad 
  // CHECK: split_axes = {{\[\[}}0]] :
  %r0 = llm.mse_grad %a0, %b1, %a2, %a3 : tensor<8x1xf32>, tensor<8xf32>, tensor<1xf32>, tensor<1xf32>
  return %r0 : tensor<8x1xf32>
}

// CHECK-LABEL: func.func @pending_gradient(
func.func @pending_gradient() -> tensor<32x64xf32> {
  // CHECK: llm.pending_gradient 
  // CHECK: split_axes = {{\[\[}}0]] :
  %r0 = llm.pending_gradient "w" : tensor<32x64xf32>
  %s = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b = shard.shard %r0 to %s annotate_for_users : tensor<32x64xf32>
  // CHECK: split_axes = {{\[\[}}0]] :
  return %b : tensor<32x64xf32>
}

// CHECK-LABEL: func.func @constant(
func.func @constant() -> tensor<2xi32> {
  // CHECK: llm.constant 
  // CHECK: split_axes = {{\[\[}}0]] :
  %r0 = llm.constant dense<[1, 2]> : tensor<2xi32> : tensor<2xi32>
  %s = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b = shard.shard %r0 to %s annotate_for_users : tensor<2xi32>
  // CHECK: split_axes = {{\[\[}}0]] :
  return %b : tensor<2xi32>
}

// CHECK-LABEL: func.func @gradient(
func.func @gradient(%a0: tensor<32x64xf32>) {
  %s0 = shard.sharding @grid split_axes = [[], [0]] : !shard.sharding
  %b0 = shard.shard %a0 to %s0 annotate_for_users : tensor<32x64xf32>
  // CHECK: split_axes = {{\[\[}}], [0]] :
  // CHECK: llm.gradient 
  llm.gradient "w", %b0 : tensor<32x64xf32>
  return
}

// CHECK-LABEL: func.func @optimizer_step(
func.func @optimizer_step(%a0: tensor<8xf64>) -> (tensor<1xf32>, tensor<1xf32>) {
  %s0 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b0 = shard.shard %a0 to %s0 annotate_for_users : tensor<8xf64>
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.optimizer_step 
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}]] :
  %r0, %r1 = llm.optimizer_step ["w"] %b0 : tensor<8xf64> -> tensor<1xf32>, tensor<1xf32>
  return %r0, %r1 : tensor<1xf32>, tensor<1xf32>
}
