// Factors beside the layers that PEFT's target syntax selects; the sum replaces
// every use of the layer. `llm.adapter` says in PEFT's terms what was done.
// RUN: llama-opt %s --adapters-attach-lora="r=2 alpha=4 targets=q_proj" | FileCheck %s
// RUN: llama-opt %s --adapters-attach-lora="r=2 alpha=4 dropout=0.25 targets=q_proj,layers.1.mlp.up_proj" | FileCheck %s --check-prefix=DROPOUT
// RUN: llama-opt %s --adapters-attach-lora="r=2 alpha=4 targets=all-linear" | FileCheck %s --check-prefix=ALL --implicit-check-not='score.lora' --implicit-check-not='lm_head.lora' --implicit-check-not='embed_tokens.lora'
// RUN: llama-opt %s --adapters-attach-lora="r=2 alpha=4 targets=regex:.*layers\.[01]\.mlp\..*" | FileCheck %s --check-prefix=REGEX --implicit-check-not=q_proj.lora
// RUN: llama-opt %s --adapters-attach-lora="r=4 alpha=8 use-rslora=true targets=q_proj" | FileCheck %s --check-prefix=RSLORA
// RUN: llama-opt %s --adapters-attach-lora="r=2 alpha=4 targets=all-linear rank-pattern=layers.1.mlp.up_proj=1 alpha-pattern=q_proj=16" | FileCheck %s --check-prefix=PATTERN

// A is drawn from U(-1/sqrt(in), 1/sqrt(in)) with in = 4, B is zero, s = 4/2.
// The layer above reads the sum, the layer itself reads what it read.
// CHECK: module attributes {llm.adapter = #llm.adapter<kind = "lora", rank = 2, alpha = 4.000000e+00 : f64, dropout = 0.000000e+00 : f64, use_rslora = false, targets = ["q_proj"], targets_is_regex = false, modules = ["model.layers.0.self_attn.q_proj"], rank_pattern = {}, alpha_pattern = {}>} {
// CHECK-LABEL: func.func @train_8(
// CHECK-SAME: %[[X:[^:]+]]: tensor<8x4xf32> {llm.input = "x"}) -> (tensor<8x2xf32> {llm.output = "loss"}, tensor<8x4xf32> {llm.output = "logits"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
// CHECK-NEXT: %[[Q_PROJ:.*]] = llm.weight "model.layers.0.self_attn.q_proj.weight" : tensor<6x4xf32>
// CHECK-NEXT: %[[LINEAR:.*]] = llm.linear %[[X]], %[[Q_PROJ]] : (tensor<8x4xf32>, tensor<6x4xf32>) -> tensor<8x6xf32>
// CHECK-NEXT: %[[Q_PROJ_LORA_A:.*]] = llm.parameter "model.layers.0.self_attn.q_proj.lora_A.weight" init <uniform, 5.000000e-01 : f64> : tensor<2x4xf32>
// CHECK-NEXT: %[[LINEAR1:.*]] = llm.linear %[[X]], %[[Q_PROJ_LORA_A]] : (tensor<8x4xf32>, tensor<2x4xf32>) -> tensor<8x2xf32>
// CHECK-NEXT: %[[Q_PROJ_LORA_B:.*]] = llm.parameter "model.layers.0.self_attn.q_proj.lora_B.weight" init <zero, 0.000000e+00 : f64> : tensor<6x2xf32>
// CHECK-NEXT: %[[LINEAR2:.*]] = llm.linear %[[LINEAR1]], %[[Q_PROJ_LORA_B]] alpha 2.000000e+00 : (tensor<8x2xf32>, tensor<6x2xf32>) -> tensor<8x6xf32>
// CHECK-NEXT: %[[ADD:.*]] = llm.add %[[LINEAR]], %[[LINEAR2]] : tensor<8x6xf32>
// CHECK-NEXT: %[[UP_PROJ:.*]] = llm.weight "model.layers.0.mlp.up_proj.weight" : tensor<6x6xf32>
// CHECK-NEXT: %[[LINEAR3:.*]] = llm.linear %[[ADD]], %[[UP_PROJ]] : (tensor<8x6xf32>, tensor<6x6xf32>) -> tensor<8x6xf32>
// CHECK-NEXT: %[[UP_PROJ1:.*]] = llm.weight "model.layers.1.mlp.up_proj.weight" : tensor<6x6xf32>
// CHECK-NEXT: %[[LINEAR4:.*]] = llm.linear %[[LINEAR3]], %[[UP_PROJ1]] : (tensor<8x6xf32>, tensor<6x6xf32>) -> tensor<8x6xf32>
// CHECK-NEXT: %[[ADD1:.*]] = llm.add %[[ADD]], %[[LINEAR4]] : tensor<8x6xf32>
// CHECK-NEXT: %[[SCORE:.*]] = llm.parameter "score.weight" init <normal, 2.000000e-02 : f64> : tensor<2x6xf32>
// CHECK-NEXT: %[[LINEAR5:.*]] = llm.linear %[[ADD1]], %[[SCORE]] : (tensor<8x6xf32>, tensor<2x6xf32>) -> tensor<8x2xf32>
// CHECK-NEXT: %[[EMBED_TOKENS:.*]] = llm.weight "model.embed_tokens.weight" : tensor<6x6xf32>
// CHECK-NEXT: %[[LINEAR6:.*]] = llm.linear %[[ADD1]], %[[EMBED_TOKENS]] : (tensor<8x6xf32>, tensor<6x6xf32>) -> tensor<8x6xf32>
// CHECK-NEXT: %[[LM_HEAD:.*]] = llm.weight "lm_head.weight" : tensor<4x6xf32>
// CHECK-NEXT: %[[LINEAR7:.*]] = llm.linear %[[LINEAR6]], %[[LM_HEAD]] : (tensor<8x6xf32>, tensor<4x6xf32>) -> tensor<8x4xf32>
// CHECK-NEXT: return %[[LINEAR5]], %[[LINEAR7]] : tensor<8x2xf32>, tensor<8x4xf32>
// CHECK-LABEL: func.func @evaluate_8(
// CHECK: llm.parameter "model.layers.0.self_attn.q_proj.lora_A.weight"

// Dropout of the adapter's input alone, and in training programs alone; the
// input "random" comes once. A target may be the end of a path.
// DROPOUT: dropout = 2.500000e-01 : f64, {{.*}} targets = ["q_proj", "layers.1.mlp.up_proj"], targets_is_regex = false, modules = ["model.layers.0.self_attn.q_proj", "model.layers.1.mlp.up_proj"]
// DROPOUT-LABEL: func.func @train_8(
// DROPOUT-SAME: %[[X:[^:]+]]: tensor<8x4xf32> {llm.input = "x"}, %[[RANDOM:[^:]+]]: tensor<2xi64> {llm.input = "random"})
// DROPOUT: %[[Q:.*]] = llm.linear %[[X]], %{{.*}} : (tensor<8x4xf32>, tensor<6x4xf32>)
// DROPOUT-NEXT: %[[D:.*]] = llm.dropout %[[X]], %[[RANDOM]] key "model.layers.0.self_attn.q_proj" p 2.500000e-01 :
// DROPOUT: %[[T:.*]] = llm.linear %[[D]], %{{.*}} -> tensor<8x2xf32>
// DROPOUT: %[[U:.*]] = llm.linear %[[T]], %{{.*}} alpha 2.000000e+00
// DROPOUT-NEXT: llm.add %[[Q]], %[[U]]
// DROPOUT: llm.dropout %{{.*}}, %[[RANDOM]] key "model.layers.1.mlp.up_proj" p 2.500000e-01
// DROPOUT-LABEL: func.func @evaluate_8(
// DROPOUT-SAME: %{{[^:]+}}: tensor<8x4xf32> {llm.input = "x"}) ->
// DROPOUT-NOT: llm.dropout

// ALL: targets = ["all-linear"], targets_is_regex = false, modules = ["model.layers.0.self_attn.q_proj", "model.layers.0.mlp.up_proj", "model.layers.1.mlp.up_proj"]
// ALL-LABEL: func.func @train_8(
// ALL: llm.parameter "model.layers.0.self_attn.q_proj.lora_A.weight"
// ALL: llm.parameter "model.layers.0.mlp.up_proj.lora_A.weight"
// ALL: llm.parameter "model.layers.1.mlp.up_proj.lora_A.weight"

// REGEX: targets = [".*layers\\.[01]\\.mlp\\..*"], targets_is_regex = true, modules = ["model.layers.0.mlp.up_proj", "model.layers.1.mlp.up_proj"]
// REGEX: llm.parameter "model.layers.0.mlp.up_proj.lora_A.weight"
// REGEX: llm.parameter "model.layers.1.mlp.up_proj.lora_A.weight"

// 8/sqrt(4) instead of 8/4.
// RSLORA: use_rslora = true
// RSLORA: llm.parameter "model.layers.0.self_attn.q_proj.lora_B.weight" {{.*}} : tensor<6x4xf32>
// RSLORA-NEXT: alpha 4.000000e+00

// The first layer keeps rank 2 and takes alpha 16, the last takes rank 1 and
// keeps alpha 4.
// PATTERN: rank_pattern = {layers.1.mlp.up_proj = 1.000000e+00 : f64}, alpha_pattern = {q_proj = 1.600000e+01 : f64}
// PATTERN-LABEL: func.func @train_8(
// PATTERN: "model.layers.0.self_attn.q_proj.lora_A.weight" {{.*}} : tensor<2x4xf32>
// PATTERN: "model.layers.0.self_attn.q_proj.lora_B.weight"
// PATTERN-NEXT: alpha 8.000000e+00
// PATTERN: "model.layers.0.mlp.up_proj.lora_A.weight" {{.*}} : tensor<2x6xf32>
// PATTERN: "model.layers.0.mlp.up_proj.lora_B.weight"
// PATTERN-NEXT: alpha 2.000000e+00
// PATTERN: "model.layers.1.mlp.up_proj.lora_A.weight" {{.*}} : tensor<1x6xf32>
// PATTERN: "model.layers.1.mlp.up_proj.lora_B.weight" {{.*}} : tensor<6x1xf32>
// PATTERN-NEXT: alpha 4.000000e+00

func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}) -> (tensor<8x2xf32> {llm.output = "loss"}, tensor<8x4xf32> {llm.output = "logits"})
    attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
  %q_w = llm.weight "model.layers.0.self_attn.q_proj.weight" : tensor<6x4xf32>
  %q = llm.linear %x, %q_w : (tensor<8x4xf32>, tensor<6x4xf32>) -> tensor<8x6xf32>
  %up0_w = llm.weight "model.layers.0.mlp.up_proj.weight" : tensor<6x6xf32>
  %up0 = llm.linear %q, %up0_w : (tensor<8x6xf32>, tensor<6x6xf32>) -> tensor<8x6xf32>
  %up1_w = llm.weight "model.layers.1.mlp.up_proj.weight" : tensor<6x6xf32>
  %up1 = llm.linear %up0, %up1_w : (tensor<8x6xf32>, tensor<6x6xf32>) -> tensor<8x6xf32>
  %sum = llm.add %q, %up1 : tensor<8x6xf32>
  // The head trains whole, and the LM head and the tied embedding are left alone.
  %score_w = llm.parameter "score.weight" init <normal, 0.02> : tensor<2x6xf32>
  %score = llm.linear %sum, %score_w : (tensor<8x6xf32>, tensor<2x6xf32>) -> tensor<8x2xf32>
  %tied_w = llm.weight "model.embed_tokens.weight" : tensor<6x6xf32>
  %tied = llm.linear %sum, %tied_w : (tensor<8x6xf32>, tensor<6x6xf32>) -> tensor<8x6xf32>
  %lm_w = llm.weight "lm_head.weight" : tensor<4x6xf32>
  %lm = llm.linear %tied, %lm_w : (tensor<8x6xf32>, tensor<4x6xf32>) -> tensor<8x4xf32>
  return %score, %lm : tensor<8x2xf32>, tensor<8x4xf32>
}

func.func @evaluate_8(%x: tensor<8x4xf32> {llm.input = "x"}) -> (tensor<8x6xf32> {llm.output = "logits"})
    attributes {llm.program = #llm.program<evaluate, tokens = 8, sequences = 2>} {
  %q_w = llm.weight "model.layers.0.self_attn.q_proj.weight" : tensor<6x4xf32>
  %q = llm.linear %x, %q_w : (tensor<8x4xf32>, tensor<6x4xf32>) -> tensor<8x6xf32>
  %up1_w = llm.weight "model.layers.1.mlp.up_proj.weight" : tensor<6x6xf32>
  %up1 = llm.linear %q, %up1_w : (tensor<8x6xf32>, tensor<6x6xf32>) -> tensor<8x6xf32>
  return %up1 : tensor<8x6xf32>
}
