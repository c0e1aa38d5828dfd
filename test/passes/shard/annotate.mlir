// Inputs with rows of the batch are split along dp, weights and parameters along tp
// as the layout table says; what is per step or whole is not annotated.
// RUN: llama-opt %s --shard-annotate="dp=2 tp=2" | FileCheck %s
// RUN: llama-opt %s --shard-annotate="tp=2" | FileCheck %s --check-prefix=TP
// RUN: llama-opt %s --shard-annotate | FileCheck %s --check-prefix=ONE

// CHECK: shard.grid @grid(shape = 2x2)
// CHECK-LABEL: func.func @train_8(
// CHECK-SAME: %[[X:[^:]+]]: tensor<8x4xf32> {llm.input = "x"}, %[[HYPER:[^:]+]]: tensor<8xf64> {llm.input = "hyper"}
// CHECK-NEXT: %[[ROWS:.*]] = shard.sharding @grid split_axes = {{\[\[}}0]] : !shard.sharding
// CHECK-NEXT: %[[XS:.*]] = shard.shard %[[X]] to %[[ROWS]] : tensor<8x4xf32>
// CHECK-NEXT: %[[N:.*]] = llm.weight "model.norm.weight" : tensor<4xf32>
// CHECK-NEXT: %[[W:.*]] = llm.weight "model.layers.0.mlp.down_proj.weight" : tensor<6x4xf32>
// CHECK-NEXT: %[[COLUMNS:.*]] = shard.sharding @grid split_axes = {{\[\[}}], [1]] : !shard.sharding
// CHECK-NEXT: %[[WS:.*]] = shard.shard %[[W]] to %[[COLUMNS]] : tensor<6x4xf32>
// CHECK: llm.parameter "model.layers.0.mlp.down_proj.lora_A.weight"
// CHECK-NEXT: shard.sharding @grid split_axes = {{\[\[}}], [1]]
// CHECK-NEXT: shard.shard %
// CHECK-NEXT: llm.parameter "model.layers.0.mlp.down_proj.lora_B.weight"
// CHECK-NEXT: llm.linear %[[XS]], %[[WS]]
// CHECK-NOT: shard.

// TP: shard.grid @grid(shape = 1x2)
// TP-LABEL: func.func @train_8(
// TP-NEXT: llm.weight "model.norm.weight"

// ONE: shard.grid @grid(shape = 1x1)
// ONE-NOT: shard.
module attributes {llm.level = "train"} {
func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}, %hyper: tensor<8xf64> {llm.input = "hyper"}) -> (tensor<8x6xf32> {llm.output = "y"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %n = llm.weight "model.norm.weight" : tensor<4xf32>
  %w = llm.weight "model.layers.0.mlp.down_proj.weight" : tensor<6x4xf32>
  %a = llm.parameter "model.layers.0.mlp.down_proj.lora_A.weight" init <zero, 0.0> : tensor<2x4xf32>
  %b = llm.parameter "model.layers.0.mlp.down_proj.lora_B.weight" init <zero, 0.0> : tensor<6x2xf32>
  %y = llm.linear %x, %w : (tensor<8x4xf32>, tensor<6x4xf32>) -> tensor<8x6xf32>
  return %y : tensor<8x6xf32>
}
}
