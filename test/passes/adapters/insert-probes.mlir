// Probes beside the layers that the expression selects, outputs by their names;
// whoever read the layer reads what is watched.
// RUN: llama-opt %s --adapters-insert-probes="modules=.*q_proj threshold=0.5" | FileCheck %s
// RUN: llama-opt %s --adapters-insert-probes | FileCheck %s --check-prefix=ALL --implicit-check-not='score:' --implicit-check-not='lm_head:'
// RUN: llama-opt %s --pass-pipeline="builtin.module(adapters-insert-probes{modules=.*q_proj},adapters-attach-lora{r=2 alpha=4 targets=q_proj})" | FileCheck %s --check-prefix=ADAPTED

// CHECK-LABEL: func.func @model(
// CHECK-SAME: -> (tensor<1xf32> {llm.output = "loss"}, tensor<?x4xf32> {llm.output = "model.layers.0.self_attn.q_proj:input"}, tensor<?x4xf32> {llm.output = "model.layers.0.self_attn.q_proj:output"})
// CHECK-SAME: attributes {llm.probes}
// CHECK: %[[W:.*]] = llm.weight "model.layers.0.self_attn.q_proj.weight"
// CHECK: %[[Q:.*]] = llm.linear %[[X:.*]], %[[W]]
// CHECK-NEXT: %[[WATCHED:.*]] = llm.watch "model.layers.0.self_attn.q_proj" %[[Q]] of %[[X]], %[[W]] : tensor<?x6xf32>, tensor<?x4xf32>, tensor<6x4xf32>
// CHECK-NEXT: %[[IN:.*]] = llm.probe %[[X]] threshold 5.000000e-01 : tensor<?x4xf32> -> tensor<?x4xf32>
// CHECK-NEXT: %[[OUT:.*]] = llm.probe %[[Q]] threshold 5.000000e-01 : tensor<?x6xf32> -> tensor<?x4xf32>
// CHECK: llm.linear %[[WATCHED]], %{{.*}} -> tensor<?x6xf32>
// CHECK: return %{{.*}}, %[[IN]], %[[OUT]]

// ALL: llm.output = "model.layers.0.self_attn.q_proj:input"
// ALL-SAME: llm.output = "model.layers.0.self_attn.q_proj:output"
// ALL-SAME: llm.output = "model.layers.0.mlp.up_proj:input"
// ALL-SAME: llm.output = "model.layers.0.mlp.up_proj:output"
// ALL: llm.probe {{.*}} threshold 1.000000e-02

// What is looked at is the layer with its adapter, as hooks on PEFT's modules see it.
// ADAPTED: %[[SUM:.*]] = llm.add
// ADAPTED: llm.watch "model.layers.0.self_attn.q_proj" %[[SUM]] of
// ADAPTED: llm.probe %[[SUM]]

func.func @model(%x: tensor<?x4xf32> {llm.input = "x"}, %scale: tensor<1xf32> {llm.input = "loss_scale"}) -> (tensor<1xf32> {llm.output = "loss"}) {
  %q_w = llm.weight "model.layers.0.self_attn.q_proj.weight" : tensor<6x4xf32>
  %q = llm.linear %x, %q_w : (tensor<?x4xf32>, tensor<6x4xf32>) -> tensor<?x6xf32>
  %up_w = llm.weight "model.layers.0.mlp.up_proj.weight" : tensor<6x6xf32>
  %up = llm.linear %q, %up_w : (tensor<?x6xf32>, tensor<6x6xf32>) -> tensor<?x6xf32>
  %score_w = llm.parameter "score.weight" init <normal, 0.02> : tensor<2x6xf32>
  %score = llm.linear %up, %score_w : (tensor<?x6xf32>, tensor<2x6xf32>) -> tensor<?x2xf32>
  %loss = llm.sum %score, %scale : tensor<?x2xf32>, tensor<1xf32> -> tensor<1xf32>
  return %loss : tensor<1xf32>
}
