// Heads of a model that computes in bf16: what trains is f32, and logits are read
// as f32. A frozen LM head stays bf16; its loss reads the logits as they are.
// RUN: llama-opt %s --graph-attach-head="task=mnli labels=3 batch=2" | FileCheck %s
// RUN: llama-opt %s --graph-attach-head="head=regression batch=2" | FileCheck %s --check-prefix=REGRESSION
// RUN: llama-opt %s --graph-attach-head="task=lm head=causal_lm batch=2" | FileCheck %s --check-prefix=LM

// CHECK: %[[POOLED:.*]] = llm.gather_rows {{.*}} -> tensor<2x4xbf16>
// CHECK-NEXT: %[[SCORE:.*]] = llm.parameter "score.weight" init <normal, 2.000000e-02 : f64> : tensor<3x4xf32>
// CHECK-NEXT: %[[WIDE:.*]] = llm.cast %[[POOLED]] : tensor<2x4xbf16> -> tensor<2x4xf32>
// CHECK-NEXT: %[[Z:.*]] = llm.linear %[[WIDE]], %[[SCORE]] : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
// CHECK-NEXT: %[[LOSS:.*]] = llm.cross_entropy %[[Z]],
// CHECK-NEXT: return %[[LOSS]], %[[Z]] : tensor<1xf32>, tensor<2x3xf32>

// REGRESSION: %[[WIDE:.*]] = llm.cast %{{.*}} : tensor<2x4xbf16> -> tensor<2x4xf32>
// REGRESSION-NEXT: %[[Z:.*]] = llm.linear %[[WIDE]], %{{.*}} -> tensor<2x1xf32>
// REGRESSION-NEXT: llm.mse %[[Z]], {{.*}} : tensor<2x1xf32>, tensor<2xf32>

// LM: %[[EVERY:.*]] = llm.linear %{{.*}} -> tensor<?x16xbf16>
// LM-NEXT: llm.cross_entropy %[[EVERY]], {{.*}} : tensor<?x16xbf16>
// LM: %[[Z:.*]] = llm.linear %{{.*}} -> tensor<2x16xbf16>
// LM-NEXT: %[[WIDE:.*]] = llm.cast %[[Z]] : tensor<2x16xbf16> -> tensor<2x16xf32>
// LM-NEXT: return %{{.*}}, %[[WIDE]] : tensor<1xf32>, tensor<2x16xf32>

func.func @hidden(%ids: tensor<?xi32>, %positions: tensor<?xi32>, %cu: tensor<?xi32>) -> tensor<?x4xbf16> {
  %t = llm.weight "embed" : tensor<16x4xbf16>
  %x = llm.embedding %ids, %t : (tensor<?xi32>, tensor<16x4xbf16>) -> tensor<?x4xbf16>
  return %x : tensor<?x4xbf16>
}
func.func @logits(%h: tensor<?x4xbf16>) -> tensor<?x16xbf16> {
  %w = llm.weight "lm_head.weight" : tensor<16x4xbf16>
  %z = llm.linear %h, %w : (tensor<?x4xbf16>, tensor<16x4xbf16>) -> tensor<?x16xbf16>
  return %z : tensor<?x16xbf16>
}
