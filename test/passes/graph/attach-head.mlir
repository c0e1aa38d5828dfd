// The three heads. Inputs and outputs have the names that the runtime binds
// (docs/plan.md); rotary tables are no longer than the sequences.
// RUN: llama-opt %s --graph-attach-head="task=mnli labels=3 batch=2 max-length=8 accumulation=4" | FileCheck %s --implicit-check-not=@hidden --implicit-check-not=@logits --implicit-check-not=lm_head
// RUN: llama-opt %s --graph-attach-head="task=stsb head=regression labels=5 batch=2" | FileCheck %s --check-prefix=REGRESSION --implicit-check-not=@hidden --implicit-check-not=@logits
// RUN: llama-opt %s --graph-attach-head="task=lm head=causal_lm batch=2 max-length=4096" | FileCheck %s --check-prefix=LM --implicit-check-not=@hidden --implicit-check-not=@logits

// Classification: cross entropy of the last tokens' scores; `score` trains.
// CHECK: module attributes {llm.task = #llm.task<name = "mnli", head = classification, labels = 3, batch = 2, max_length = 8, accumulation = 4>} {
// CHECK-LABEL: func.func @model(
// CHECK-SAME: %[[IDS:[^:]+]]: tensor<?xi32> {llm.input = "input_ids"}, %[[POSITIONS:[^:]+]]: tensor<?xi32> {llm.input = "positions"}, %[[CU:[^:]+]]: tensor<3xi32> {llm.input = "cu_seqlens"},
// CHECK-SAME: %[[LAST:[^:]+]]: tensor<2xi32> {llm.input = "last_token"}, %[[POOL:[^:]+]]: tensor<?xi32> {llm.input = "pool_index"},
// CHECK-SAME: %[[LABELS:[^:]+]]: tensor<2xi32> {llm.input = "labels"}, %[[SCALE:[^:]+]]: tensor<1xf32> {llm.input = "loss_scale"})
// CHECK-SAME: -> (tensor<1xf32> {llm.output = "loss"}, tensor<2x3xf32> {llm.output = "logits"}) {
// CHECK-NEXT: %[[TABLE:.*]] = llm.weight "embed" : tensor<16x4xf32>
// CHECK-NEXT: %[[X:.*]] = llm.embedding %[[IDS]], %[[TABLE]] :
// CHECK-NEXT: %[[COS:.*]], %[[SIN:.*]] = llm.rope_table %[[POSITIONS]] theta 1.000000e+04 max_positions 8 :
// CHECK-NEXT: %[[Q:.*]] = llm.rope %[[X]], %[[COS]], %[[SIN]] :
// CHECK-NEXT: %[[H:.*]], %{{.*}} = llm.attention %[[Q]], %[[Q]], %[[X]], %[[CU]] heads(2) kv_heads(2) scale 5.000000e-01 : {{.*}}, tensor<3xi32>)
// CHECK-NEXT: %[[POOLED:.*]] = llm.gather_rows %[[H]], %[[LAST]], %[[POOL]] : (tensor<?x4xf32>, tensor<2xi32>, tensor<?xi32>) -> tensor<2x4xf32>
// CHECK-NEXT: %[[SCORE:.*]] = llm.parameter "score.weight" init <normal, 2.000000e-02 : f64> : tensor<3x4xf32>
// CHECK-NEXT: %[[Z:.*]] = llm.linear %[[POOLED]], %[[SCORE]] : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
// CHECK-NEXT: %[[LOSS:.*]] = llm.cross_entropy %[[Z]], %[[LABELS]], %[[SCALE]] :
// CHECK-NEXT: return %[[LOSS]], %[[Z]] :

// Regression: one number a sentence, real labels.
// REGRESSION: llm.task<name = "stsb", head = regression, labels = 1, batch = 2, max_length = 128, accumulation = 1>
// REGRESSION: %[[LABELS:[^:]+]]: tensor<2xf32> {llm.input = "labels"}, %[[SCALE:[^:]+]]: tensor<1xf32> {llm.input = "loss_scale"})
// REGRESSION-SAME: tensor<2x1xf32> {llm.output = "logits"}
// REGRESSION: max_positions 128
// REGRESSION: %[[SCORE:.*]] = llm.parameter "score.weight" {{.*}} : tensor<1x4xf32>
// REGRESSION-NEXT: %[[Z:.*]] = llm.linear %{{.*}}, %[[SCORE]] :
// REGRESSION-NEXT: %[[LOSS:.*]] = llm.mse %[[Z]], %[[LABELS]], %[[SCALE]] :
// REGRESSION-NEXT: return %[[LOSS]], %[[Z]] :

// A language model: every token has a label, the loss is over all of them; logits are
// those of the last tokens. Nothing new trains, tables are not lengthened.
// LM: llm.task<name = "lm", head = causal_lm, labels = 0, batch = 2, max_length = 4096, accumulation = 1>
// LM: %[[LAST:[^:]+]]: tensor<2xi32> {llm.input = "last_token"}, %[[POOL:[^:]+]]: tensor<?xi32> {llm.input = "pool_index"}, %[[LABELS:[^:]+]]: tensor<?xi32> {llm.input = "labels"}, %[[SCALE:[^:]+]]: tensor<1xf32> {llm.input = "loss_scale"})
// LM-SAME: tensor<2x16xf32> {llm.output = "logits"}
// LM: max_positions 2048
// LM: %[[H:.*]], %{{.*}} = llm.attention
// LM-NEXT: %[[POOLED:.*]] = llm.gather_rows %[[H]], %[[LAST]], %[[POOL]] :
// LM-NEXT: %[[W0:.*]] = llm.weight "lm_head.weight"
// LM-NEXT: %[[EVERY:.*]] = llm.linear %[[H]], %[[W0]] : {{.*}} -> tensor<?x16xf32>
// LM-NEXT: %[[LOSS:.*]] = llm.cross_entropy %[[EVERY]], %[[LABELS]], %[[SCALE]] :
// LM-NEXT: %[[W1:.*]] = llm.weight "lm_head.weight"
// LM-NEXT: %[[Z:.*]] = llm.linear %[[POOLED]], %[[W1]] : {{.*}} -> tensor<2x16xf32>
// LM-NEXT: return %[[LOSS]], %[[Z]] :

func.func @hidden(%ids: tensor<?xi32>, %positions: tensor<?xi32>, %cu: tensor<?xi32>) -> tensor<?x4xf32> {
  %t = llm.weight "embed" : tensor<16x4xf32>
  %x = llm.embedding %ids, %t : (tensor<?xi32>, tensor<16x4xf32>) -> tensor<?x4xf32>
  %cos, %sin = llm.rope_table %positions theta 1.0e+04 max_positions 2048 : tensor<?xi32> -> tensor<?x1xf32>
  %r = llm.rope %x, %cos, %sin : tensor<?x4xf32>, tensor<?x1xf32>
  %y, %lse = llm.attention %r, %r, %x, %cu heads(2) kv_heads(2) scale 0.5
    : (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?xi32>) -> (tensor<?x4xf32>, tensor<?x2xf32>)
  return %y : tensor<?x4xf32>
}
func.func @logits(%h: tensor<?x4xf32>) -> tensor<?x16xf32> {
  %w = llm.weight "lm_head.weight" : tensor<16x4xf32>
  %z = llm.linear %h, %w : (tensor<?x4xf32>, tensor<16x4xf32>) -> tensor<?x16xf32>
  return %z : tensor<?x16xf32>
}
