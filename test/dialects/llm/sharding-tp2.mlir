// One decoder block on two devices, as Megatron splits it. Only the weights are
// annotated: q, k, v, gate and up by their rows (outputs), o and down by their
// columns (inputs). Everything else follows from the ops' loops.
// RUN: llama-opt %s --pass-pipeline="builtin.module(func.func(sharding-propagation,cse))" | FileCheck %s

shard.grid @grid(shape = 2)

// CHECK-LABEL: func.func @block
func.func @block(%ids: tensor<8xi32>, %positions: tensor<8xi32>, %cu_seqlens: tensor<3xi32>) -> tensor<8x64xf32> {
  %rows = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %columns = shard.sharding @grid split_axes = [[], [0]] : !shard.sharding
  // CHECK: %[[ROWS:.*]] = shard.sharding @grid split_axes = {{\[\[}}0]]
  // CHECK: %[[COLUMNS:.*]] = shard.sharding @grid split_axes = {{\[\[}}], [0]]

  %table = llm.weight "model.embed_tokens.weight" : tensor<128x64xf32>
  %x = llm.embedding %ids, %table : (tensor<8xi32>, tensor<128x64xf32>) -> tensor<8x64xf32>
  // The residual stream is replicated.
  // CHECK: %[[ALL:.*]] = shard.sharding @grid split_axes = {{\[\[}}]]
  // CHECK: %[[EMBEDDED:.*]] = llm.embedding
  // CHECK: %[[X_DEF:.*]] = shard.shard %[[EMBEDDED]] to %[[ALL]] : tensor<8x64xf32>
  // CHECK: %[[COS:.*]], %[[SIN:.*]] = llm.rope_table
  // CHECK: %[[SIN_DEF:.*]] = shard.shard %[[SIN]] to %[[ALL]] :
  // CHECK: %[[COS_DEF:.*]] = shard.shard %[[COS]] to %[[ALL]] :
  %cos, %sin = llm.rope_table %positions theta 5.0e+05 max_positions 128 : tensor<8xi32> -> tensor<8x8xf32>

  %norm1_w = llm.weight "model.layers.0.input_layernorm.weight" : tensor<64xf32>
  %norm1 = llm.rms_norm %x, %norm1_w eps 1.0e-05 : tensor<8x64xf32>, tensor<64xf32>
  // CHECK: %[[X:.*]] = shard.shard %[[X_DEF]] to %[[ALL]] annotate_for_users : tensor<8x64xf32>
  // CHECK: %[[NORM1:.*]] = llm.rms_norm %[[X]],
  // CHECK: %[[NORM1_DEF:.*]] = shard.shard %[[NORM1]] to %[[ALL]] : tensor<8x64xf32>
  // CHECK: %[[Q_W:.*]] = shard.shard %{{.*}} to %[[ROWS]] : tensor<64x64xf32>
  // CHECK: %[[K_W:.*]] = shard.shard %{{.*}} to %[[ROWS]] : tensor<32x64xf32>
  // CHECK: %[[V_W:.*]] = shard.shard %{{.*}} to %[[ROWS]] : tensor<32x64xf32>
  %q_w = llm.weight "model.layers.0.self_attn.q_proj.weight" : tensor<64x64xf32>
  %k_w = llm.weight "model.layers.0.self_attn.k_proj.weight" : tensor<32x64xf32>
  %v_w = llm.weight "model.layers.0.self_attn.v_proj.weight" : tensor<32x64xf32>
  %q_s = shard.shard %q_w to %rows : tensor<64x64xf32>
  %k_s = shard.shard %k_w to %rows : tensor<32x64xf32>
  %v_s = shard.shard %v_w to %rows : tensor<32x64xf32>
  %q = llm.linear %norm1, %q_s : (tensor<8x64xf32>, tensor<64x64xf32>) -> tensor<8x64xf32>
  %k = llm.linear %norm1, %k_s : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  %v = llm.linear %norm1, %v_s : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  // q, k and v are split by columns, that is by heads.
  // CHECK: %[[IN1:.*]] = shard.shard %[[NORM1_DEF]] to %[[ALL]] annotate_for_users
  // CHECK: %[[Q_IN:.*]] = shard.shard %[[Q_W]] to %[[ROWS]] annotate_for_users
  // CHECK: %[[Q:.*]] = llm.linear %[[IN1]], %[[Q_IN]]
  // CHECK: %[[Q_DEF:.*]] = shard.shard %[[Q]] to %[[COLUMNS]] : tensor<8x64xf32>
  // CHECK: %[[K_IN:.*]] = shard.shard %[[K_W]] to %[[ROWS]] annotate_for_users
  // CHECK: %[[K:.*]] = llm.linear %[[IN1]], %[[K_IN]]
  // CHECK: %[[K_DEF:.*]] = shard.shard %[[K]] to %[[COLUMNS]] : tensor<8x32xf32>
  // CHECK: %[[V_IN:.*]] = shard.shard %[[V_W]] to %[[ROWS]] annotate_for_users
  // CHECK: %[[V:.*]] = llm.linear %[[IN1]], %[[V_IN]]
  // CHECK: %[[V_DEF:.*]] = shard.shard %[[V]] to %[[COLUMNS]] : tensor<8x32xf32>
  %q_turned = llm.rope %q, %cos, %sin : tensor<8x64xf32>, tensor<8x8xf32>
  %k_turned = llm.rope %k, %cos, %sin : tensor<8x32xf32>, tensor<8x8xf32>
  // Rotation keeps them so; every head has all angles.
  // CHECK: %[[Q_USE:.*]] = shard.shard %[[Q_DEF]] to %[[COLUMNS]] annotate_for_users
  // CHECK: %[[COS_USE:.*]] = shard.shard %[[COS_DEF]] to %[[ALL]] annotate_for_users
  // CHECK: %[[SIN_USE:.*]] = shard.shard %[[SIN_DEF]] to %[[ALL]] annotate_for_users
  // CHECK: %[[QR:.*]] = llm.rope %[[Q_USE]], %[[COS_USE]], %[[SIN_USE]]
  // CHECK: %[[QR_DEF:.*]] = shard.shard %[[QR]] to %[[COLUMNS]] : tensor<8x64xf32>
  // CHECK: %[[K_USE:.*]] = shard.shard %[[K_DEF]] to %[[COLUMNS]] annotate_for_users
  // CHECK: %[[KR:.*]] = llm.rope %[[K_USE]], %[[COS_USE]], %[[SIN_USE]]
  // CHECK: %[[KR_DEF:.*]] = shard.shard %[[KR]] to %[[COLUMNS]] : tensor<8x32xf32>
  %mixed, %lse = llm.attention %q_turned, %k_turned, %v, %cu_seqlens heads(4) kv_heads(2) scale 0.25
      : (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<3xi32>) -> (tensor<8x64xf32>, tensor<8x4xf32>)
  // Two heads and the one key and value head that they share on each device.
  // CHECK: %[[A_Q:.*]] = shard.shard %[[QR_DEF]] to %[[COLUMNS]] annotate_for_users
  // CHECK: %[[A_K:.*]] = shard.shard %[[KR_DEF]] to %[[COLUMNS]] annotate_for_users
  // CHECK: %[[A_V:.*]] = shard.shard %[[V_DEF]] to %[[COLUMNS]] annotate_for_users
  // CHECK: %[[A_CU:.*]] = shard.shard %{{.*}} to %[[ALL]] annotate_for_users : tensor<3xi32>
  // CHECK: %[[MIXED:.*]], %{{.*}} = llm.attention %[[A_Q]], %[[A_K]], %[[A_V]], %[[A_CU]]
  // CHECK: %[[MIXED_DEF:.*]] = shard.shard %[[MIXED]] to %[[COLUMNS]] : tensor<8x64xf32>
  %o_w = llm.weight "model.layers.0.self_attn.o_proj.weight" : tensor<64x64xf32>
  %o_s = shard.shard %o_w to %columns : tensor<64x64xf32>
  %o = llm.linear %mixed, %o_s : (tensor<8x64xf32>, tensor<64x64xf32>) -> tensor<8x64xf32>
  // o sums over its split inputs: the result is whole on every device.
  // CHECK: %[[O_W:.*]] = shard.shard %{{.*}} to %[[COLUMNS]] : tensor<64x64xf32>
  // CHECK: %[[O_X:.*]] = shard.shard %[[MIXED_DEF]] to %[[COLUMNS]] annotate_for_users
  // CHECK: %[[O_IN:.*]] = shard.shard %[[O_W]] to %[[COLUMNS]] annotate_for_users
  // CHECK: %[[O:.*]] = llm.linear %[[O_X]], %[[O_IN]]
  // CHECK: %[[O_DEF:.*]] = shard.shard %[[O]] to %[[ALL]] : tensor<8x64xf32>
  %attended = llm.add %x, %o : tensor<8x64xf32>
  // CHECK: %[[O_USE:.*]] = shard.shard %[[O_DEF]] to %[[ALL]] annotate_for_users
  // CHECK: %[[ATTENDED:.*]] = llm.add %[[X]], %[[O_USE]]
  // CHECK: %[[ATTENDED_DEF:.*]] = shard.shard %[[ATTENDED]] to %[[ALL]] : tensor<8x64xf32>

  %norm2_w = llm.weight "model.layers.0.post_attention_layernorm.weight" : tensor<64xf32>
  %norm2 = llm.rms_norm %attended, %norm2_w eps 1.0e-05 : tensor<8x64xf32>, tensor<64xf32>
  // CHECK: %[[X2:.*]] = shard.shard %[[ATTENDED_DEF]] to %[[ALL]] annotate_for_users
  // CHECK: %[[NORM2:.*]] = llm.rms_norm %[[X2]],
  // CHECK: %[[NORM2_DEF:.*]] = shard.shard %[[NORM2]] to %[[ALL]] : tensor<8x64xf32>
  // CHECK: %[[GATE_W:.*]] = shard.shard %{{.*}} to %[[ROWS]] : tensor<96x64xf32>
  // CHECK: %[[UP_W:.*]] = shard.shard %{{.*}} to %[[ROWS]] : tensor<96x64xf32>
  %gate_w = llm.weight "model.layers.0.mlp.gate_proj.weight" : tensor<96x64xf32>
  %up_w = llm.weight "model.layers.0.mlp.up_proj.weight" : tensor<96x64xf32>
  %gate_s = shard.shard %gate_w to %rows : tensor<96x64xf32>
  %up_s = shard.shard %up_w to %rows : tensor<96x64xf32>
  %gate = llm.linear %norm2, %gate_s : (tensor<8x64xf32>, tensor<96x64xf32>) -> tensor<8x96xf32>
  %up = llm.linear %norm2, %up_s : (tensor<8x64xf32>, tensor<96x64xf32>) -> tensor<8x96xf32>
  // CHECK: %[[IN2:.*]] = shard.shard %[[NORM2_DEF]] to %[[ALL]] annotate_for_users
  // CHECK: %[[GATE_IN:.*]] = shard.shard %[[GATE_W]] to %[[ROWS]] annotate_for_users
  // CHECK: %[[GATE:.*]] = llm.linear %[[IN2]], %[[GATE_IN]]
  // CHECK: %[[GATE_DEF:.*]] = shard.shard %[[GATE]] to %[[COLUMNS]] : tensor<8x96xf32>
  // CHECK: %[[UP_IN:.*]] = shard.shard %[[UP_W]] to %[[ROWS]] annotate_for_users
  // CHECK: %[[UP:.*]] = llm.linear %[[IN2]], %[[UP_IN]]
  // CHECK: %[[UP_DEF:.*]] = shard.shard %[[UP]] to %[[COLUMNS]] : tensor<8x96xf32>
  %activated = llm.swiglu %gate, %up : tensor<8x96xf32>
  // CHECK: %[[GATE_USE:.*]] = shard.shard %[[GATE_DEF]] to %[[COLUMNS]] annotate_for_users
  // CHECK: %[[UP_USE:.*]] = shard.shard %[[UP_DEF]] to %[[COLUMNS]] annotate_for_users
  // CHECK: %[[ACT:.*]] = llm.swiglu %[[GATE_USE]], %[[UP_USE]]
  // CHECK: %[[ACT_DEF:.*]] = shard.shard %[[ACT]] to %[[COLUMNS]] : tensor<8x96xf32>
  %down_w = llm.weight "model.layers.0.mlp.down_proj.weight" : tensor<64x96xf32>
  %down_s = shard.shard %down_w to %columns : tensor<64x96xf32>
  %down = llm.linear %activated, %down_s : (tensor<8x96xf32>, tensor<64x96xf32>) -> tensor<8x64xf32>
  // CHECK: %[[DOWN_W:.*]] = shard.shard %{{.*}} to %[[COLUMNS]] : tensor<64x96xf32>
  // CHECK: %[[DOWN_X:.*]] = shard.shard %[[ACT_DEF]] to %[[COLUMNS]] annotate_for_users
  // CHECK: %[[DOWN_IN:.*]] = shard.shard %[[DOWN_W]] to %[[COLUMNS]] annotate_for_users
  // CHECK: %[[DOWN:.*]] = llm.linear %[[DOWN_X]], %[[DOWN_IN]]
  // CHECK: %[[DOWN_DEF:.*]] = shard.shard %[[DOWN]] to %[[ALL]] : tensor<8x64xf32>
  %out = llm.add %attended, %down : tensor<8x64xf32>
  // CHECK: %[[DOWN_USE:.*]] = shard.shard %[[DOWN_DEF]] to %[[ALL]] annotate_for_users
  // CHECK: %[[OUT:.*]] = llm.add %[[X2]], %[[DOWN_USE]]
  // CHECK: %[[OUT_DEF:.*]] = shard.shard %[[OUT]] to %[[ALL]] : tensor<8x64xf32>
  // CHECK: return %[[OUT_DEF]]
  return %out : tensor<8x64xf32>
}
