// One launch for all modules: Grams, norms, their mean, gradients; scores and
// masks after the optimizer. On one device nothing is summed.
// RUN: llama-opt %s --fuse-lower-optimizer --fuse-lower-triplets -split-input-file | FileCheck %s

// Module p: A is elements 0 to 12, E 16 to 19, B 32 to 50; 1065353216 is 1.0f,
// 1048576000 is 1/4, 1042983595 is 1/6 in f32.
// CHECK-LABEL: func.func @train_8(
// CHECK: %[[TABLE:.*]] = llm.constant dense<{{\[\[}}0, 4, 16, 32, 6, 1065353216, 1065353216, 1065353216, 1048576000, 1042983595], [64, 2, 80, 96, 2, 1065353216, 1065353216, 1065353216, 1056964608, 1056964608]]> : tensor<2x10xi64>
// CHECK: %[[G:.*]] = llm.flat_load gradients : tensor<1x1024xf32>
// CHECK: %[[P:.*]] = llm.flat_load parameters : tensor<1x1024xf32>
// CHECK: %[[GRAMS:.*]] = llm.triplet_grams %[[P]], %[[TABLE]] gradients(%[[G]]) : (tensor<1x1024xf32>, tensor<2x10xi64>, tensor<1x1024xf32>) -> tensor<4x12xf32>
// CHECK-NOT: shard.all_reduce
// CHECK: %[[NORMS:.*]] = llm.rowwise rows(4) cols(12)
// CHECK: llm.source = "orthogonality_norms"
// CHECK: %[[PENALTY:.*]] = llm.rowwise rows(1) cols(4) ins(%[[NORMS]]
// Weight 0.5 over two modules.
// CHECK: %[[NEW:.*]] = llm.triplet_finish %[[G]], %{{.*}}, %[[GRAMS]], %[[NORMS]], %[[TABLE]] factor 2.500000e-01
// CHECK: llm.flat_store gradients, %[[NEW]]
// The step: clipped gradients and fresh parameters move the averages.
// CHECK: %[[SCHEDULE:.*]]:6 = llm.rowwise
// CHECK: %[[ADAMW:.*]]:5 = llm.rowwise rows(1) cols(1024)
// CHECK: math.absf
// CHECK: adamw_importance
// CHECK: llm.flat_store sensitivity, %[[ADAMW]]#3
// CHECK: llm.flat_store uncertainty, %[[ADAMW]]#4
// CHECK: %[[S:.*]] = llm.triplet_scores %{{.*}}, %{{.*}}, %[[SCHEDULE]]#5, %{{.*}} -> tensor<6x3xf32>
// CHECK-DAG: llm.panel %[[S]] at{{.}}0, 0] : tensor<6x3xf32> -> tensor<2x3xf32>
// CHECK-DAG: llm.panel %[[S]] at{{.}}2, 0]
// CHECK-DAG: llm.panel %[[S]] at{{.}}4, 0]
// CHECK: %[[MASKED:.*]], %[[KEPT:.*]] = llm.triplet_mask %{{.*}}, %{{.*}}, %{{.*}}, %[[SCHEDULE]]#5, %{{.*}} -> (tensor<1x1024xf32>, tensor<2x3xf32>)
// CHECK: llm.flat_store parameters, %[[MASKED]]
// CHECK: llm.flat_store kept, %[[KEPT]]
// CHECK: return %[[PENALTY]], %[[KEPT]]
func.func @train_8(%hyper: tensor<8xf64>, %allocation: tensor<2xi64>) -> (tensor<1xf32>, tensor<2x3xf32>) {
  %a = llm.parameter "p.lora_A" init <normal, 0.02> : tensor<3x4xf32>
  %e = llm.parameter "p.lora_E" init <zero, 0.0> : tensor<3x1xf32>
  %b = llm.parameter "p.lora_B" init <normal, 0.02> : tensor<6x3xf32>
  %a2 = llm.parameter "q.lora_A" init <normal, 0.02> : tensor<3x2xf32>
  %e2 = llm.parameter "q.lora_E" init <zero, 0.0> : tensor<3x1xf32>
  %b2 = llm.parameter "q.lora_B" init <normal, 0.02> : tensor<2x3xf32>
  %penalty = llm.triplet_gradients ["p", "q"] weight 0.5 : tensor<1xf32>
  %norm, %lr = llm.optimizer_step ["p.lora_A"] %hyper : tensor<8xf64> -> tensor<1xf32>, tensor<1xf32>
  %kept = llm.allocate_ranks ["p", "q"] beta1 0.85 beta2 0.85 %allocation : tensor<2xi64> -> tensor<2x3xf32>
  return %penalty, %kept : tensor<1xf32>, tensor<2x3xf32>
}

// -----

// Two tp devices share B: what each has whole counts a half (1056964608), means
// are over the whole dimension (1/12 is 1034594987), and Grams and scores are
// summed.
shard.grid @grid(shape = 1x2)
// CHECK-LABEL: func.func @evaluate_8(
// CHECK: llm.constant dense<{{\[\[}}1024, 4, 1040, 0, 6, 1056964608, 1065353216, 1056964608, 1040187392, 1034594987]]>
// CHECK: %[[TERM:.*]] = llm.triplet_grams %{{.*}}, %{{.*}} : (tensor<2x1024xf32>, tensor<1x10xi64>) -> tensor<2x12xf32>
// CHECK: %[[SUM:.*]] = shard.all_reduce %[[TERM]] on @grid grid_axes = [1]
// CHECK: llm.rowwise rows(2) cols(12) ins(%[[SUM]]
// CHECK-NOT: llm.flat_store
func.func @evaluate_8() -> tensor<1xf32> {
  %a = llm.parameter "p.lora_A" init <normal, 0.02> : tensor<3x4xf32>
  %e = llm.parameter "p.lora_E" init <zero, 0.0> : tensor<3x1xf32>
  %b = llm.parameter "p.lora_B" init <normal, 0.02> {llm.whole_shape = array<i64: 12, 3>, llm.split_axes = [array<i64: 1>, array<i64>]} : tensor<6x3xf32>
  %penalty = llm.orthogonality ["p"] weight 0.5 : tensor<1xf32>
  return %penalty : tensor<1xf32>
}
