// AdaLoRA's ops print as they parse.
// RUN: llama-opt %s | llama-opt | FileCheck %s

// CHECK-LABEL: func.func @f
func.func @f(%params: tensor<2x1024xf32>, %grads: tensor<2x1024xf32>, %table: tensor<1x10xi64>, %allocation: tensor<2xi64>, %norms: tensor<2xf32>, %kept: tensor<1x4xf32>) {
  %a = llm.parameter "p.lora_A" init <normal, 0.02> : tensor<4x64xf32>
  %e = llm.parameter "p.lora_E" init <zero, 0.0> : tensor<4x1xf32>
  // CHECK: llm.scale_rows %{{.*}}, %{{.*}} : tensor<4x64xf32>, tensor<4x1xf32>
  %ea = llm.scale_rows %a, %e : tensor<4x64xf32>, tensor<4x1xf32>
  // CHECK: llm.orthogonality ["p"] weight 5.000000e-01 : tensor<1xf32>
  %penalty = llm.orthogonality ["p"] weight 0.5 : tensor<1xf32>
  // CHECK: llm.triplet_gradients ["p"] weight 5.000000e-01 : tensor<1xf32>
  %same = llm.triplet_gradients ["p"] weight 0.5 : tensor<1xf32>
  // CHECK: llm.allocate_ranks ["p"] beta1 8.500000e-01 beta2 9.000000e-01 %{{.*}} : tensor<2xi64> -> tensor<1x4xf32>
  %mask = llm.allocate_ranks ["p"] beta1 0.85 beta2 0.9 %allocation : tensor<2xi64> -> tensor<1x4xf32>
  // CHECK: llm.triplet_grams %{{.*}}, %{{.*}} gradients(%{{.*}}) : (tensor<2x1024xf32>, tensor<1x10xi64>, tensor<2x1024xf32>) -> tensor<2x20xf32>
  %grams = llm.triplet_grams %params, %table gradients(%grads) : (tensor<2x1024xf32>, tensor<1x10xi64>, tensor<2x1024xf32>) -> tensor<2x20xf32>
  // CHECK: llm.triplet_grams %{{.*}}, %{{.*}} : (tensor<2x1024xf32>, tensor<1x10xi64>) -> tensor<2x20xf32>
  %only = llm.triplet_grams %params, %table : (tensor<2x1024xf32>, tensor<1x10xi64>) -> tensor<2x20xf32>
  // CHECK: llm.triplet_finish {{.*}} factor 2.500000e-01 :
  %new = llm.triplet_finish %grads, %params, %grams, %norms, %table factor 0.25 : (tensor<2x1024xf32>, tensor<2x1024xf32>, tensor<2x20xf32>, tensor<2xf32>, tensor<1x10xi64>) -> tensor<2x1024xf32>
  // CHECK: llm.triplet_scores
  %scores = llm.triplet_scores %params, %grads, %allocation, %table : (tensor<2x1024xf32>, tensor<2x1024xf32>, tensor<2xi64>, tensor<1x10xi64>) -> tensor<3x4xf32>
  // CHECK: llm.triplet_mask
  %p, %k = llm.triplet_mask %params, %kept, %kept, %allocation, %table : (tensor<2x1024xf32>, tensor<1x4xf32>, tensor<1x4xf32>, tensor<2xi64>, tensor<1x10xi64>) -> (tensor<2x1024xf32>, tensor<1x4xf32>)
  return
}
