// Tokens split along tp: from the embedding on, through norm, residual and the dropout
// before an adapter, up to the layers that split columns; the rows of last tokens and
// their gradient; the gradient of a factor from own tokens.
// RUN: llama-opt %s --shard-annotate="tp=2" --shard-partition="sequence-parallel=true" --shard-verify | FileCheck %s

// CHECK-LABEL: func.func @train_8(
// CHECK-SAME: %[[IDS:[^:]+]]: tensor<8xi32>
// CHECK-SAME: %[[LAST:[^:]+]]: tensor<2xi32>
// CHECK-SAME: %[[POOL:[^:]+]]: tensor<8xi32>
// CHECK-SAME: %[[RANDOM:[^:]+]]: tensor<2xi64>
// CHECK-SAME: %[[PLACE:[^:]+]]: tensor<2xi32> {llm.input = "grid_index"}
// CHECK: %[[FIRST:.*]] = llm.first_row %[[PLACE]] axis 1 rows 4
// CHECK: %[[TERM:.*]] = llm.scatter_rows %{{.*}}, %{{.*}} : (tensor<8x4xf32>, tensor<8xi32>) -> tensor<8x4xf32>
// CHECK-NEXT: %[[X:.*]] = shard.reduce_scatter %[[TERM]] on @grid grid_axes = [1] scatter_axis = 0 : tensor<8x4xf32> -> tensor<4x4xf32>
// CHECK-NEXT: %[[N:.*]] = llm.rms_norm %[[X]], %{{.*}} : tensor<4x4xf32>
// CHECK-NEXT: %[[NALL:.*]] = shard.all_gather %[[N]] on @grid grid_axes = [1] gather_axis = 0 : tensor<4x4xf32> -> tensor<8x4xf32>
// CHECK-NEXT: %[[U0:.*]] = llm.linear %[[NALL]], %{{.*}} : (tensor<8x4xf32>, tensor<3x4xf32>) -> tensor<8x3xf32>
// The adapter's dropout numbers its elements as in the whole; what is gathered is t.
// CHECK-NEXT: %[[D:.*]] = llm.dropout %[[N]], %[[RANDOM]] key "k" p 1.000000e-01 part %[[FIRST]] axis 0 of 1 rows : tensor<4x4xf32>
// CHECK-NEXT: %[[T:.*]] = llm.linear %[[D]], %{{.*}} -> tensor<4x2xf32>
// CHECK-NEXT: %[[TALL:.*]] = shard.all_gather %[[T]] on @grid grid_axes = [1] gather_axis = 0 : tensor<4x2xf32> -> tensor<8x2xf32>
// CHECK-NEXT: llm.linear %[[TALL]], %{{.*}} -> tensor<8x3xf32>
// CHECK: %[[DOWN:.*]] = llm.linear %{{.*}} : (tensor<8x3xf32>, tensor<4x3xf32>) -> tensor<8x4xf32>
// CHECK-NEXT: %[[DOWNSUM:.*]] = shard.reduce_scatter %[[DOWN]] on @grid grid_axes = [1] scatter_axis = 0
// CHECK-NEXT: %[[H:.*]] = llm.add %[[X]], %[[DOWNSUM]] : tensor<4x4xf32>
// CHECK-NEXT: %[[ROWS:.*]] = llm.local_ids %[[LAST]], %[[PLACE]] axis 1 size 4
// CHECK-NEXT: %[[P:.*]] = llm.scatter_rows %[[H]], %[[ROWS]] : (tensor<4x4xf32>, tensor<2xi32>) -> tensor<2x4xf32>
// CHECK-NEXT: %[[PSUM:.*]] = shard.all_reduce %[[P]] on @grid grid_axes = [1] : tensor<2x4xf32>
// CHECK-NEXT: %[[DP:.*]] = llm.rms_norm %[[PSUM]]
// CHECK-NEXT: %[[OWN:.*]] = llm.local_rows %[[POOL]], %[[FIRST]] : (tensor<8xi32>, tensor<1xi64>) -> tensor<4xi32>
// CHECK-NEXT: %[[DH:.*]] = llm.scatter_rows %[[DP]], %[[OWN]] : (tensor<2x4xf32>, tensor<4xi32>) -> tensor<4x4xf32>
// CHECK-NEXT: %[[DHALL:.*]] = shard.all_gather %[[DH]] on @grid grid_axes = [1] gather_axis = 0
// CHECK-NEXT: %[[DU:.*]] = llm.matmul %[[DHALL]], %{{.*}} : (tensor<8x4xf32>, tensor<4x3xf32>) -> tensor<8x3xf32>
// CHECK-NEXT: %[[DT:.*]] = llm.matmul %[[DU]], %{{.*}} -> tensor<8x2xf32>
// CHECK-NEXT: %[[DTOWN:.*]] = shard.reduce_scatter %[[DT]] on @grid grid_axes = [1] scatter_axis = 0 : tensor<8x2xf32> -> tensor<4x2xf32>
// CHECK-NEXT: %[[GA:.*]] = llm.matmul %[[DTOWN]], %[[D]] transpose_a : (tensor<4x2xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
// CHECK-NEXT: %[[GASUM:.*]] = shard.all_reduce %[[GA]] on @grid grid_axes = [1] : tensor<2x4xf32>
// CHECK-NEXT: llm.gradient "model.layers.0.mlp.up_proj.lora_A.weight", %[[GASUM]]
// t was gathered in the forward pass, and narrow enough to stay.
// CHECK-NEXT: %[[GB:.*]] = llm.matmul %[[DU]], %[[TALL]] transpose_a
// CHECK-NEXT: llm.gradient "model.layers.0.mlp.up_proj.lora_B.weight", %[[GB]]
// CHECK-NOT: shard.
// CHECK: return %[[PSUM]]
module attributes {llm.level = "train"} {
func.func @train_8(%ids: tensor<8xi32> {llm.input = "input_ids"}, %last: tensor<2xi32> {llm.input = "last_token"}, %pool: tensor<8xi32> {llm.input = "pool_index"}, %random: tensor<2xi64> {llm.input = "random"}) -> (tensor<2x4xf32> {llm.output = "y"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
  %table = llm.weight "model.embed_tokens.weight" : tensor<16x4xf32>
  %norm = llm.weight "model.layers.0.input_layernorm.weight" : tensor<4xf32>
  %up = llm.weight "model.layers.0.mlp.up_proj.weight" : tensor<6x4xf32>
  %ua = llm.parameter "model.layers.0.mlp.up_proj.lora_A.weight" init <zero, 0.0> : tensor<2x4xf32>
  %ub = llm.parameter "model.layers.0.mlp.up_proj.lora_B.weight" init <zero, 0.0> : tensor<6x2xf32>
  %down = llm.weight "model.layers.0.mlp.down_proj.weight" : tensor<4x6xf32>
  %x = llm.embedding %ids, %table : (tensor<8xi32>, tensor<16x4xf32>) -> tensor<8x4xf32>
  %n = llm.rms_norm %x, %norm eps 1.0e-05 : tensor<8x4xf32>, tensor<4xf32>
  %u0 = llm.linear %n, %up : (tensor<8x4xf32>, tensor<6x4xf32>) -> tensor<8x6xf32>
  %nd = llm.dropout %n, %random key "k" p 0.1 : tensor<8x4xf32>, tensor<2xi64>
  %t = llm.linear %nd, %ua : (tensor<8x4xf32>, tensor<2x4xf32>) -> tensor<8x2xf32>
  %u1 = llm.linear %t, %ub : (tensor<8x2xf32>, tensor<6x2xf32>) -> tensor<8x6xf32>
  %u = llm.add %u0, %u1 : tensor<8x6xf32>
  %d = llm.linear %u, %down : (tensor<8x6xf32>, tensor<4x6xf32>) -> tensor<8x4xf32>
  %h = llm.add %x, %d : tensor<8x4xf32>
  %p = llm.gather_rows %h, %last, %pool : (tensor<8x4xf32>, tensor<2xi32>, tensor<8xi32>) -> tensor<2x4xf32>
  %dp = llm.rms_norm %p, %norm eps 1.0e-05 : tensor<2x4xf32>, tensor<4xf32>
  %dh = llm.scatter_rows %dp, %pool : (tensor<2x4xf32>, tensor<8xi32>) -> tensor<8x4xf32>
  %du = llm.matmul %dh, %down : (tensor<8x4xf32>, tensor<4x6xf32>) -> tensor<8x6xf32>
  %dt = llm.matmul %du, %ub : (tensor<8x6xf32>, tensor<6x2xf32>) -> tensor<8x2xf32>
  %ga = llm.matmul %dt, %nd transpose_a : (tensor<8x2xf32>, tensor<8x4xf32>) -> tensor<2x4xf32>
  llm.gradient "model.layers.0.mlp.up_proj.lora_A.weight", %ga : tensor<2x4xf32>
  %gb = llm.matmul %du, %t transpose_a : (tensor<8x6xf32>, tensor<8x2xf32>) -> tensor<6x2xf32>
  llm.gradient "model.layers.0.mlp.up_proj.lora_B.weight", %gb : tensor<6x2xf32>
  return %p : tensor<2x4xf32>
}
}
