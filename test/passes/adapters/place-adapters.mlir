// Ranks by a statistic of probes within a budget, and adapters that follow them.
// RUN: llama-opt %s --adapters-place="file=%S/Inputs/probe.json r=2 targets=all-linear budget=0.5" | FileCheck %s
// RUN: llama-opt %s --adapters-place="file=%S/Inputs/probe.json r=2 targets=all-linear budget=1" | FileCheck %s --check-prefix=ALL
// RUN: llama-opt %s --adapters-place="file=%S/Inputs/probe.json r=2 targets=all-linear budget=4" | FileCheck %s --check-prefix=RANKS
// RUN: llama-opt %s --adapters-place="file=%S/Inputs/probe.json r=2 targets=all-linear budget=5 rule=proportional" | FileCheck %s --check-prefix=SHARE
// RUN: llama-opt %s --adapters-place="file=%S/Inputs/probe.json r=2 targets=all-linear budget=5 rule=proportional max-r=2" | FileCheck %s --check-prefix=MOST
// RUN: llama-opt %s --adapters-place="file=%S/Inputs/probe.json r=2 targets=up_proj budget=0.5" | FileCheck %s --check-prefix=TARGETS
// RUN: llama-opt %s --pass-pipeline="builtin.module(adapters-place{file=%S/Inputs/probe.json r=2 targets=all-linear budget=5 rule=proportional},adapters-attach-lora{r=2 alpha=4 targets=all-linear})" | FileCheck %s --check-prefix=LORA
// RUN: llama-opt %s --pass-pipeline="builtin.module(adapters-place{file=%S/Inputs/probe.json r=2 targets=all-linear budget=0.5},adapters-attach-adalora{init-r=2 target-r=1 alpha=4 targets=all-linear})" | FileCheck %s --check-prefix=ADALORA --implicit-check-not=up_proj.lora

// Half of 2 * (10 + 12 + 12) parameters are 34: q_proj's 20 fit, no more than one
// of the others' 24 would; of equal ones the first would come first.
// CHECK: llm.placement = #llm.placement<statistic = "weight_gradient.norm", rule = "top", unit = "parameters", rank = 2, budget = 34, spent = 20, whole = 68, modules = [
// CHECK-SAME: #llm.placed<module = "model.layers.0.self_attn.q_proj", value = 3.000000e+00 : f64, per_rank = 10, rank = 2>
// CHECK-SAME: #llm.placed<module = "model.layers.0.mlp.up_proj", value = 1.000000e+00 : f64, per_rank = 12, rank = 0>
// CHECK-SAME: #llm.placed<module = "model.layers.1.mlp.up_proj", value = 1.000000e+00 : f64, per_rank = 12, rank = 0>

// ALL: budget = 68, spent = 68, whole = 68
// ALL-COUNT-3: rank = 2>

// A sum of ranks: 4 are two layers of rank 2.
// RANKS: unit = "ranks", rank = 2, budget = 4, spent = 4, whole = 6
// RANKS-SAME: q_proj"{{[^>]*}}rank = 2>{{.*}}layers.0.mlp.up_proj"{{[^>]*}}rank = 2>{{.*}}layers.1.mlp.up_proj"{{[^>]*}}rank = 0>

// 3 : 1 : 1, by D'Hondt: 3, 1.5, 1 (the first of three equals is q_proj), 1, 1.
// SHARE: rule = "proportional", unit = "ranks", rank = 2, budget = 5, spent = 5
// SHARE-SAME: q_proj"{{[^>]*}}rank = 3>{{.*}}layers.0.mlp.up_proj"{{[^>]*}}rank = 1>{{.*}}layers.1.mlp.up_proj"{{[^>]*}}rank = 1>
// MOST: spent = 5
// MOST-SAME: q_proj"{{[^>]*}}rank = 2>{{.*}}layers.0.mlp.up_proj"{{[^>]*}}rank = 2>{{.*}}layers.1.mlp.up_proj"{{[^>]*}}rank = 1>

// TARGETS: whole = 48, modules = [#llm.placed<module = "model.layers.0.mlp.up_proj", {{[^>]*}}rank = 2>, #llm.placed<module = "model.layers.1.mlp.up_proj", {{[^>]*}}rank = 0>]


// PEFT's terms: paths as targets, what is not r and alpha in patterns; the scale
// is alpha / r = 2 everywhere.
// LORA: targets = ["model.layers.0.self_attn.q_proj", "model.layers.0.mlp.up_proj", "model.layers.1.mlp.up_proj"], targets_is_regex = false,
// LORA-SAME: rank_pattern = {model.layers.0.mlp.up_proj = 1.000000e+00 : f64, model.layers.0.self_attn.q_proj = 3.000000e+00 : f64, model.layers.1.mlp.up_proj = 1.000000e+00 : f64}
// LORA-SAME: alpha_pattern = {model.layers.0.mlp.up_proj = 2.000000e+00 : f64, model.layers.0.self_attn.q_proj = 6.000000e+00 : f64, model.layers.1.mlp.up_proj = 2.000000e+00 : f64}
// LORA: "model.layers.0.self_attn.q_proj.lora_A.weight" {{.*}} : tensor<3x4xf32>
// LORA: alpha 2.000000e+00 : (tensor<8x3xf32>
// LORA: "model.layers.0.mlp.up_proj.lora_A.weight" {{.*}} : tensor<1x6xf32>
// LORA: alpha 2.000000e+00 : (tensor<8x1xf32>

// ADALORA: targets = ["model.layers.0.self_attn.q_proj"], targets_is_regex = false, modules = ["model.layers.0.self_attn.q_proj"]
// ADALORA: llm.parameter "model.layers.0.self_attn.q_proj.lora_E"

func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}) -> (tensor<8x6xf32> {llm.output = "loss"})
    attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
  %q_w = llm.weight "model.layers.0.self_attn.q_proj.weight" : tensor<6x4xf32>
  %q = llm.linear %x, %q_w : (tensor<8x4xf32>, tensor<6x4xf32>) -> tensor<8x6xf32>
  %up0_w = llm.weight "model.layers.0.mlp.up_proj.weight" : tensor<6x6xf32>
  %up0 = llm.linear %q, %up0_w : (tensor<8x6xf32>, tensor<6x6xf32>) -> tensor<8x6xf32>
  %up1_w = llm.weight "model.layers.1.mlp.up_proj.weight" : tensor<6x6xf32>
  %up1 = llm.linear %up0, %up1_w : (tensor<8x6xf32>, tensor<6x6xf32>) -> tensor<8x6xf32>
  return %up1 : tensor<8x6xf32>
}
