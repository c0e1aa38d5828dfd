// A column and a row layer, each with an adapter, the residual and a norm; their
// gradients. One all-reduce forward, for layer, adapter and residual together.
// Gradients of the factors that every tp device has whole are summed where they
// are stored, those of parts are not.
// RUN: llama-opt %s --shard-annotate="tp=2" --shard-partition --shard-verify | FileCheck %s --check-prefix=TP
// RUN: llama-opt %s --shard-annotate="dp=2" --shard-partition --shard-verify | FileCheck %s --check-prefix=DP
// RUN: llama-opt %s --shard-annotate --shard-partition | FileCheck %s --check-prefix=ONE

// TP-LABEL: func.func @train_8(
// TP-SAME: %[[X:[^:]+]]: tensor<8x4xf32>
// TP: %[[UP:.*]] = llm.weight "model.layers.0.mlp.up_proj.weight" {llm.split_axes = [array<i64: 1>, array<i64>], llm.whole_shape = array<i64: 6, 4>} : tensor<3x4xf32>
// TP: %[[UA:.*]] = llm.parameter "model.layers.0.mlp.up_proj.lora_A.weight" init <zero, 0.000000e+00 : f64> : tensor<2x4xf32>
// TP: %[[UB:.*]] = llm.parameter "model.layers.0.mlp.up_proj.lora_B.weight" init <zero, 0.000000e+00 : f64> {{.*}} : tensor<3x2xf32>
// TP: %[[DOWN:.*]] = llm.weight "model.layers.0.mlp.down_proj.weight" {llm.split_axes = [array<i64>, array<i64: 1>], llm.whole_shape = array<i64: 4, 6>} : tensor<4x3xf32>
// TP: %[[U:.*]] = llm.linear %[[X]], %[[UP]] : (tensor<8x4xf32>, tensor<3x4xf32>) -> tensor<8x3xf32>
// TP: %[[UT:.*]] = llm.linear %[[X]], %[[UA]]
// TP: %[[T:.*]] = llm.linear %{{.*}}, %{{.*}} : (tensor<8x3xf32>, tensor<2x3xf32>) -> tensor<8x2xf32>
// TP: %[[SUM:.*]] = llm.add
// TP-NEXT: %[[ALL:.*]] = shard.all_reduce %[[SUM]] on @grid grid_axes = [1] : tensor<8x4xf32> -> tensor<8x4xf32>
// TP-NEXT: %[[H:.*]] = llm.add %[[X]], %[[ALL]] :
// TP-NOT: shard.all_reduce
// The factor B of the row layer: its input T is a term, and so is its gradient.
// TP: %[[DB:.*]] = llm.matmul %{{.*}}, %[[T]] transpose_a
// TP-NEXT: %[[DBS:.*]] = shard.all_reduce %[[DB]] on @grid grid_axes = [1]
// TP-NEXT: llm.gradient "model.layers.0.mlp.down_proj.lora_B.weight", %[[DBS]]
// TP-NOT: shard.all_reduce
// TP: llm.gradient "model.layers.0.mlp.down_proj.lora_A.weight", %{{.*}} : tensor<2x3xf32>
// TP: llm.gradient "model.layers.0.mlp.up_proj.lora_B.weight", %{{.*}} : tensor<3x2xf32>
// TP: %[[DUA:.*]] = shard.all_reduce %{{.*}} on @grid grid_axes = [1] : tensor<2x4xf32>
// TP-NEXT: llm.gradient "model.layers.0.mlp.up_proj.lora_A.weight", %[[DUA]]
// TP-NOT: shard.

// DP-LABEL: func.func @train_8(
// DP-NOT: shard.
// DP: llm.matmul
// DP-NEXT: shard.all_reduce %{{.*}} on @grid grid_axes = [0] : tensor<4x2xf32>
// DP-NEXT: llm.gradient "model.layers.0.mlp.down_proj.lora_B.weight"
// DP-COUNT-3: shard.all_reduce
// DP-NOT: shard.all_reduce

// ONE-NOT: shard.all_reduce
module attributes {llm.level = "train"} {
func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}) -> (tensor<8x4xf32> {llm.output = "y"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %up = llm.weight "model.layers.0.mlp.up_proj.weight" : tensor<6x4xf32>
  %ua = llm.parameter "model.layers.0.mlp.up_proj.lora_A.weight" init <zero, 0.0> : tensor<2x4xf32>
  %ub = llm.parameter "model.layers.0.mlp.up_proj.lora_B.weight" init <zero, 0.0> : tensor<6x2xf32>
  %down = llm.weight "model.layers.0.mlp.down_proj.weight" : tensor<4x6xf32>
  %da = llm.parameter "model.layers.0.mlp.down_proj.lora_A.weight" init <zero, 0.0> : tensor<2x6xf32>
  %db = llm.parameter "model.layers.0.mlp.down_proj.lora_B.weight" init <zero, 0.0> : tensor<4x2xf32>
  %u0 = llm.linear %x, %up : (tensor<8x4xf32>, tensor<6x4xf32>) -> tensor<8x6xf32>
  %ut = llm.linear %x, %ua : (tensor<8x4xf32>, tensor<2x4xf32>) -> tensor<8x2xf32>
  %u1 = llm.linear %ut, %ub : (tensor<8x2xf32>, tensor<6x2xf32>) -> tensor<8x6xf32>
  %u = llm.add %u0, %u1 : tensor<8x6xf32>
  %d0 = llm.linear %u, %down : (tensor<8x6xf32>, tensor<4x6xf32>) -> tensor<8x4xf32>
  %dt = llm.linear %u, %da : (tensor<8x6xf32>, tensor<2x6xf32>) -> tensor<8x2xf32>
  %d1 = llm.linear %dt, %db : (tensor<8x2xf32>, tensor<4x2xf32>) -> tensor<8x4xf32>
  %d = llm.add %d0, %d1 : tensor<8x4xf32>
  %h = llm.add %x, %d : tensor<8x4xf32>
  %gdb = llm.matmul %h, %dt transpose_a : (tensor<8x4xf32>, tensor<8x2xf32>) -> tensor<4x2xf32>
  llm.gradient "model.layers.0.mlp.down_proj.lora_B.weight", %gdb : tensor<4x2xf32>
  %gt = llm.matmul %h, %db : (tensor<8x4xf32>, tensor<4x2xf32>) -> tensor<8x2xf32>
  %gda = llm.matmul %gt, %u transpose_a : (tensor<8x2xf32>, tensor<8x6xf32>) -> tensor<2x6xf32>
  llm.gradient "model.layers.0.mlp.down_proj.lora_A.weight", %gda : tensor<2x6xf32>
  %gu0 = llm.matmul %h, %down : (tensor<8x4xf32>, tensor<4x6xf32>) -> tensor<8x6xf32>
  %gu1 = llm.matmul %gt, %da : (tensor<8x2xf32>, tensor<2x6xf32>) -> tensor<8x6xf32>
  %gu = llm.add %gu0, %gu1 : tensor<8x6xf32>
  %gub = llm.matmul %gu, %ut transpose_a : (tensor<8x6xf32>, tensor<8x2xf32>) -> tensor<6x2xf32>
  llm.gradient "model.layers.0.mlp.up_proj.lora_B.weight", %gub : tensor<6x2xf32>
  %gut = llm.matmul %gu, %ub : (tensor<8x6xf32>, tensor<6x2xf32>) -> tensor<8x2xf32>
  %gua = llm.matmul %gut, %x transpose_a : (tensor<8x2xf32>, tensor<8x4xf32>) -> tensor<2x4xf32>
  llm.gradient "model.layers.0.mlp.up_proj.lora_A.weight", %gua : tensor<2x4xf32>
  return %h : tensor<8x4xf32>
}
}
