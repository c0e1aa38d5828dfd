// How the ops of the forward graph split.
// One annotation on one value of each, and what follows for the others. The axes
// right before an op are those of its operands, the given ones first; right after
// it, those of its results, the last result's first.
// RUN: llama-opt %s --pass-pipeline="builtin.module(func.func(sharding-propagation))" | FileCheck %s --implicit-check-not=split_axes

shard.grid @grid(shape = 2x2)

// Rows of the table elsewhere: a sum over devices gives the row.
// CHECK-LABEL: func.func @embedding_vocabulary(
func.func @embedding_vocabulary(%a0: tensor<8xi32>, %a1: tensor<128x64xf32>) -> tensor<8x64xf32> {
  %s1 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b1 = shard.shard %a1 to %s1 annotate_for_users : tensor<128x64xf32>
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.embedding 
  // CHECK: split_axes = {{\[\[}}]] :
  %r0 = llm.embedding %a0, %b1 : (tensor<8xi32>, tensor<128x64xf32>) -> tensor<8x64xf32>
  return %r0 : tensor<8x64xf32>
}

// CHECK-LABEL: func.func @embedding_columns(
func.func @embedding_columns(%a0: tensor<8xi32>, %a1: tensor<128x64xf32>) -> tensor<8x64xf32> {
  %s1 = shard.sharding @grid split_axes = [[], [0]] : !shard.sharding
  %b1 = shard.shard %a1 to %s1 annotate_for_users : tensor<128x64xf32>
  // CHECK: split_axes = {{\[\[}}], [0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.embedding 
  // CHECK: split_axes = {{\[\[}}], [0]] :
  %r0 = llm.embedding %a0, %b1 : (tensor<8xi32>, tensor<128x64xf32>) -> tensor<8x64xf32>
  return %r0 : tensor<8x64xf32>
}

// CHECK-LABEL: func.func @embedding_tokens(
func.func @embedding_tokens(%a0: tensor<8xi32>, %a1: tensor<128x64xf32>) -> tensor<8x64xf32> {
  %s0 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b0 = shard.shard %a0 to %s0 annotate_for_users : tensor<8xi32>
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.embedding 
  // CHECK: split_axes = {{\[\[}}0]] :
  %r0 = llm.embedding %b0, %a1 : (tensor<8xi32>, tensor<128x64xf32>) -> tensor<8x64xf32>
  return %r0 : tensor<8x64xf32>
}

// Every head needs all angles.
// CHECK-LABEL: func.func @rope_table(
func.func @rope_table(%a0: tensor<8xi32>) -> (tensor<8x8xf32>, tensor<8x8xf32>) {
  %s0 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b0 = shard.shard %a0 to %s0 annotate_for_users : tensor<8xi32>
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: llm.rope_table 
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}0]] :
  %r0, %r1 = llm.rope_table %b0 theta 5.0e+05 max_positions 128 : tensor<8xi32> -> tensor<8x8xf32>
  return %r0, %r1 : tensor<8x8xf32>, tensor<8x8xf32>
}

// CHECK-LABEL: func.func @rope(
func.func @rope(%a0: tensor<8x64xf32>, %a1: tensor<8x8xf32>, %a2: tensor<8x8xf32>) -> tensor<8x64xf32> {
  %s0 = shard.sharding @grid split_axes = [[], [0]] : !shard.sharding
  %b0 = shard.shard %a0 to %s0 annotate_for_users : tensor<8x64xf32>
  // CHECK: split_axes = {{\[\[}}], [0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.rope 
  // CHECK: split_axes = {{\[\[}}], [0]] :
  %r0 = llm.rope %b0, %a1, %a2 : tensor<8x64xf32>, tensor<8x8xf32>
  return %r0 : tensor<8x64xf32>
}

// CHECK-LABEL: func.func @rope_tokens(
func.func @rope_tokens(%a0: tensor<8x64xf32>, %a1: tensor<8x8xf32>, %a2: tensor<8x8xf32>) -> tensor<8x64xf32> {
  %s1 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b1 = shard.shard %a1 to %s1 annotate_for_users : tensor<8x8xf32>
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: llm.rope 
  // CHECK: split_axes = {{\[\[}}0]] :
  %r0 = llm.rope %a0, %b1, %a2 : tensor<8x64xf32>, tensor<8x8xf32>
  return %r0 : tensor<8x64xf32>
}

// CHECK-LABEL: func.func @rope_angles(
func.func @rope_angles(%a0: tensor<8x64xf32>, %a1: tensor<8x8xf32>, %a2: tensor<8x8xf32>) -> tensor<8x64xf32> {
  %s1 = shard.sharding @grid split_axes = [[], [0]] : !shard.sharding
  %b1 = shard.shard %a1 to %s1 annotate_for_users : tensor<8x8xf32>
  // CHECK: split_axes = {{\[\[}}], [0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.rope 
  // CHECK: split_axes = {{\[\[}}]] :
  %r0 = llm.rope %a0, %b1, %a2 : tensor<8x64xf32>, tensor<8x8xf32>
  return %r0 : tensor<8x64xf32>
}

// The mean runs over columns, so columns are gathered before the op.
// CHECK-LABEL: func.func @rms_norm(
func.func @rms_norm(%a0: tensor<8x64xf32>, %a1: tensor<64xf32>) -> tensor<8x64xf32> {
  %s0 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b0 = shard.shard %a0 to %s0 annotate_for_users : tensor<8x64xf32>
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.rms_norm 
  // CHECK: split_axes = {{\[\[}}0]] :
  %r0 = llm.rms_norm %b0, %a1 eps 1.0e-05 : tensor<8x64xf32>, tensor<64xf32>
  return %r0 : tensor<8x64xf32>
}

// CHECK-LABEL: func.func @rms_norm_columns(
func.func @rms_norm_columns(%a0: tensor<8x64xf32>, %a1: tensor<64xf32>) -> tensor<8x64xf32> {
  %s0 = shard.sharding @grid split_axes = [[], [0]] : !shard.sharding
  %b0 = shard.shard %a0 to %s0 annotate_for_users : tensor<8x64xf32>
  // CHECK: split_axes = {{\[\[}}], [0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.rms_norm 
  // CHECK: split_axes = {{\[\[}}]] :
  %r0 = llm.rms_norm %b0, %a1 eps 1.0e-05 : tensor<8x64xf32>, tensor<64xf32>
  return %r0 : tensor<8x64xf32>
}

// Outputs split; inputs split, a sum; tokens split; both.
// CHECK-LABEL: func.func @linear_out(
func.func @linear_out(%a0: tensor<8x64xf32>, %a1: tensor<32x64xf32>) -> tensor<8x32xf32> {
  %s1 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b1 = shard.shard %a1 to %s1 annotate_for_users : tensor<32x64xf32>
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.linear 
  // CHECK: split_axes = {{\[\[}}], [0]] :
  %r0 = llm.linear %a0, %b1 : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  return %r0 : tensor<8x32xf32>
}

// CHECK-LABEL: func.func @linear_in(
func.func @linear_in(%a0: tensor<8x64xf32>, %a1: tensor<32x64xf32>) -> tensor<8x32xf32> {
  %s1 = shard.sharding @grid split_axes = [[], [0]] : !shard.sharding
  %b1 = shard.shard %a1 to %s1 annotate_for_users : tensor<32x64xf32>
  // CHECK: split_axes = {{\[\[}}], [0]] :
  // CHECK: split_axes = {{\[\[}}], [0]] :
  // CHECK: llm.linear 
  // CHECK: split_axes = {{\[\[}}]] :
  %r0 = llm.linear %a0, %b1 : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  return %r0 : tensor<8x32xf32>
}

// CHECK-LABEL: func.func @linear_tokens(
func.func @linear_tokens(%a0: tensor<8x64xf32>, %a1: tensor<32x64xf32>) -> tensor<8x32xf32> {
  %s0 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b0 = shard.shard %a0 to %s0 annotate_for_users : tensor<8x64xf32>
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.linear 
  // CHECK: split_axes = {{\[\[}}0]] :
  %r0 = llm.linear %b0, %a1 : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  return %r0 : tensor<8x32xf32>
}

// CHECK-LABEL: func.func @linear_both(
func.func @linear_both(%a0: tensor<8x64xf32>, %a1: tensor<32x64xf32>) -> tensor<8x32xf32> {
  %s0 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b0 = shard.shard %a0 to %s0 annotate_for_users : tensor<8x64xf32>
  %s1 = shard.sharding @grid split_axes = [[1]] : !shard.sharding
  %b1 = shard.shard %a1 to %s1 annotate_for_users : tensor<32x64xf32>
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}1]] :
  // CHECK: llm.linear 
  // CHECK: split_axes = {{\[\[}}0], [1]] :
  %r0 = llm.linear %b0, %b1 : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  return %r0 : tensor<8x32xf32>
}

// One axis cannot split two loops: the first to ask has it.
// CHECK-LABEL: func.func @linear_conflict(
func.func @linear_conflict(%a0: tensor<8x64xf32>, %a1: tensor<32x64xf32>) -> tensor<8x32xf32> {
  %s0 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b0 = shard.shard %a0 to %s0 annotate_for_users : tensor<8x64xf32>
  %s1 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b1 = shard.shard %a1 to %s1 annotate_for_users : tensor<32x64xf32>
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.linear 
  // CHECK: split_axes = {{\[\[}}0]] :
  %r0 = llm.linear %b0, %b1 : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  return %r0 : tensor<8x32xf32>
}

// Heads split together with the key and value heads they share.
// CHECK-LABEL: func.func @attention(
func.func @attention(%a0: tensor<8x64xf32>, %a1: tensor<8x32xf32>, %a2: tensor<8x32xf32>, %a3: tensor<3xi32>)
    -> (tensor<8x64xf32>, tensor<8x4xf32>) {
  %s0 = shard.sharding @grid split_axes = [[], [0]] : !shard.sharding
  %b0 = shard.shard %a0 to %s0 annotate_for_users : tensor<8x64xf32>
  // CHECK: split_axes = {{\[\[}}], [0]] :
  // CHECK: split_axes = {{\[\[}}], [0]] :
  // CHECK: split_axes = {{\[\[}}], [0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.attention 
  // CHECK: split_axes = {{\[\[}}], [0]] :
  // CHECK: split_axes = {{\[\[}}], [0]] :
  %r0, %r1 = llm.attention %b0, %a1, %a2, %a3 heads(4) kv_heads(2) scale 0.25
      : (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<3xi32>) -> (tensor<8x64xf32>, tensor<8x4xf32>)
  return %r0, %r1 : tensor<8x64xf32>, tensor<8x4xf32>
}

// Two key and value heads do not split over four devices.
// CHECK-LABEL: func.func @attention_heads(
func.func @attention_heads(%a0: tensor<8x64xf32>, %a1: tensor<8x32xf32>, %a2: tensor<8x32xf32>, %a3: tensor<3xi32>)
    -> (tensor<8x64xf32>, tensor<8x4xf32>) {
  %s0 = shard.sharding @grid split_axes = [[], [0, 1]] : !shard.sharding
  %b0 = shard.shard %a0 to %s0 annotate_for_users : tensor<8x64xf32>
  // CHECK: split_axes = {{\[\[}}], [0, 1]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.attention 
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}]] :
  %r0, %r1 = llm.attention %b0, %a1, %a2, %a3 heads(4) kv_heads(2) scale 0.25
      : (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<3xi32>) -> (tensor<8x64xf32>, tensor<8x4xf32>)
  return %r0, %r1 : tensor<8x64xf32>, tensor<8x4xf32>
}

// A token sees all earlier ones.
// CHECK-LABEL: func.func @attention_tokens(
func.func @attention_tokens(%a0: tensor<8x64xf32>, %a1: tensor<8x32xf32>, %a2: tensor<8x32xf32>, %a3: tensor<3xi32>)
    -> (tensor<8x64xf32>, tensor<8x4xf32>) {
  %s1 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b1 = shard.shard %a1 to %s1 annotate_for_users : tensor<8x32xf32>
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.attention 
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}]] :
  %r0, %r1 = llm.attention %a0, %b1, %a2, %a3 heads(4) kv_heads(2) scale 0.25
      : (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<3xi32>) -> (tensor<8x64xf32>, tensor<8x4xf32>)
  return %r0, %r1 : tensor<8x64xf32>, tensor<8x4xf32>
}

// CHECK-LABEL: func.func @swiglu(
func.func @swiglu(%a0: tensor<8x96xf32>, %a1: tensor<8x96xf32>) -> tensor<8x96xf32> {
  %s1 = shard.sharding @grid split_axes = [[], [0]] : !shard.sharding
  %b1 = shard.shard %a1 to %s1 annotate_for_users : tensor<8x96xf32>
  // CHECK: split_axes = {{\[\[}}], [0]] :
  // CHECK: split_axes = {{\[\[}}], [0]] :
  // CHECK: llm.swiglu 
  // CHECK: split_axes = {{\[\[}}], [0]] :
  %r0 = llm.swiglu %a0, %b1 : tensor<8x96xf32>
  return %r0 : tensor<8x96xf32>
}

// CHECK-LABEL: func.func @add(
func.func @add(%a0: tensor<8x64xf32>, %a1: tensor<8x64xf32>) -> tensor<8x64xf32> {
  %s0 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b0 = shard.shard %a0 to %s0 annotate_for_users : tensor<8x64xf32>
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: llm.add 
  // CHECK: split_axes = {{\[\[}}0]] :
  %r0 = llm.add %b0, %a1 : tensor<8x64xf32>
  return %r0 : tensor<8x64xf32>
}

// CHECK-LABEL: func.func @add_of_three_dimensions(
func.func @add_of_three_dimensions(%a0: tensor<2x4x4xf32>, %a1: tensor<2x4x4xf32>) -> tensor<2x4x4xf32> {
  %s1 = shard.sharding @grid split_axes = [[], [], [1]] : !shard.sharding
  %b1 = shard.shard %a1 to %s1 annotate_for_users : tensor<2x4x4xf32>
  // CHECK: split_axes = {{\[\[}}], [], [1]] :
  // CHECK: split_axes = {{\[\[}}], [], [1]] :
  // CHECK: llm.add 
  // CHECK: split_axes = {{\[\[}}], [], [1]] :
  %r0 = llm.add %a0, %b1 : tensor<2x4x4xf32>
  return %r0 : tensor<2x4x4xf32>
}

// Sizes of model files: the tokens are not known yet.
// CHECK-LABEL: func.func @add_of_unknown_tokens(
func.func @add_of_unknown_tokens(%a0: tensor<?x64xf32>, %a1: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %s1 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b1 = shard.shard %a1 to %s1 annotate_for_users : tensor<?x64xf32>
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: llm.add 
  // CHECK: split_axes = {{\[\[}}0]] :
  %r0 = llm.add %a0, %b1 : tensor<?x64xf32>
  return %r0 : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @gather_rows_from_split(
func.func @gather_rows_from_split(%a0: tensor<8x64xf32>, %a1: tensor<2xi32>, %a2: tensor<8xi32>) -> tensor<2x64xf32> {
  %s0 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b0 = shard.shard %a0 to %s0 annotate_for_users : tensor<8x64xf32>
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: llm.gather_rows 
  // CHECK: split_axes = {{\[\[}}]] :
  %r0 = llm.gather_rows %b0, %a1, %a2 : (tensor<8x64xf32>, tensor<2xi32>, tensor<8xi32>) -> tensor<2x64xf32>
  return %r0 : tensor<2x64xf32>
}

// CHECK-LABEL: func.func @gather_rows_to_split(
func.func @gather_rows_to_split(%a0: tensor<8x64xf32>, %a1: tensor<2xi32>, %a2: tensor<8xi32>) -> tensor<2x64xf32> {
  %s1 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b1 = shard.shard %a1 to %s1 annotate_for_users : tensor<2xi32>
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.gather_rows 
  // CHECK: split_axes = {{\[\[}}0]] :
  %r0 = llm.gather_rows %a0, %b1, %a2 : (tensor<8x64xf32>, tensor<2xi32>, tensor<8xi32>) -> tensor<2x64xf32>
  return %r0 : tensor<2x64xf32>
}

// CHECK-LABEL: func.func @gather_rows_columns(
func.func @gather_rows_columns(%a0: tensor<8x64xf32>, %a1: tensor<2xi32>, %a2: tensor<8xi32>) -> tensor<2x64xf32> {
  %s0 = shard.sharding @grid split_axes = [[], [0]] : !shard.sharding
  %b0 = shard.shard %a0 to %s0 annotate_for_users : tensor<8x64xf32>
  // CHECK: split_axes = {{\[\[}}], [0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.gather_rows 
  // CHECK: split_axes = {{\[\[}}], [0]] :
  %r0 = llm.gather_rows %b0, %a1, %a2 : (tensor<8x64xf32>, tensor<2xi32>, tensor<8xi32>) -> tensor<2x64xf32>
  return %r0 : tensor<2x64xf32>
}

// CHECK-LABEL: func.func @dropout(
func.func @dropout(%a0: tensor<8x64xf32>, %a1: tensor<2xi64>) -> tensor<8x64xf32> {
  %s0 = shard.sharding @grid split_axes = [[0], [1]] : !shard.sharding
  %b0 = shard.shard %a0 to %s0 annotate_for_users : tensor<8x64xf32>
  // CHECK: split_axes = {{\[\[}}0], [1]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.dropout 
  // CHECK: split_axes = {{\[\[}}0], [1]] :
  %r0 = llm.dropout %b0, %a1 key "k" p 0.1 : tensor<8x64xf32>, tensor<2xi64>
  return %r0 : tensor<8x64xf32>
}

// CHECK-LABEL: func.func @dropout_random(
func.func @dropout_random(%a0: tensor<8x64xf32>, %a1: tensor<2xi64>) -> tensor<8x64xf32> {
  %s1 = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b1 = shard.shard %a1 to %s1 annotate_for_users : tensor<2xi64>
  // CHECK: split_axes = {{\[\[}}0]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: split_axes = {{\[\[}}]] :
  // CHECK: llm.dropout 
  // CHECK: split_axes = {{\[\[}}]] :
  %r0 = llm.dropout %a0, %b1 key "k" p 0.1 : tensor<8x64xf32>, tensor<2xi64>
  return %r0 : tensor<8x64xf32>
}

// Persistent tensors lie as they are used.
// CHECK-LABEL: func.func @weight(
func.func @weight() -> tensor<32x64xf32> {
  // CHECK: llm.weight 
  // CHECK: split_axes = {{\[\[}}], [0]] :
  %r0 = llm.weight "w" : tensor<32x64xf32>
  %s = shard.sharding @grid split_axes = [[], [0]] : !shard.sharding
  %b = shard.shard %r0 to %s annotate_for_users : tensor<32x64xf32>
  // CHECK: split_axes = {{\[\[}}], [0]] :
  return %b : tensor<32x64xf32>
}

// CHECK-LABEL: func.func @parameter(
func.func @parameter() -> tensor<32x64xf32> {
  // CHECK: llm.parameter 
  // CHECK: split_axes = {{\[\[}}0]] :
  %r0 = llm.parameter "w" init <zero, 0.0> : tensor<32x64xf32>
  %s = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %b = shard.shard %r0 to %s annotate_for_users : tensor<32x64xf32>
  // CHECK: split_axes = {{\[\[}}0]] :
  return %b : tensor<32x64xf32>
}
