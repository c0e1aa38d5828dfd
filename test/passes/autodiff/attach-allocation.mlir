// The regulariser's gradients before the optimizer, the budget after it; both
// losses are reported. The gradient of E A is stored as it is.
// RUN: llama-opt %s --autodiff-differentiate --autodiff-attach-optimizer --autodiff-attach-allocation --autodiff-verify | FileCheck %s

// CHECK-LABEL: func.func @train_8(
// CHECK-SAME: %[[ADALORA:[^:]+]]: tensor<2xi64> {llm.input = "adalora"}) -> (tensor<1xf32> {llm.output = "loss"}, tensor<1xf32> {llm.output = "grad_norm"}, tensor<1xf32> {llm.output = "learning_rate"}, tensor<1xf32> {llm.output = "task_loss"}, tensor<1x3xf32> {llm.output = "kept"})
// CHECK: %[[A:.*]] = llm.parameter "q.lora_A"
// CHECK: %[[EA:.*]] = llm.scale_rows
// CHECK: %[[LOSS:.*]] = llm.mse
// CHECK: %[[DEA:.*]] = llm.matmul {{.*}} -> tensor<3x4xf32>
// CHECK: llm.gradient "q.lora_A", %[[DEA]] : tensor<3x4xf32>
// CHECK-NOT: llm.gradient "q.lora_E"
// CHECK: %[[PENALTY:.*]] = llm.triplet_gradients ["q"] weight 1.000000e-01 : tensor<1xf32>
// CHECK-NEXT: %[[NORM:.*]], %[[RATE:.*]] = llm.optimizer_step ["q.lora_A", "q.lora_E", "q.lora_B"]
// CHECK-NEXT: %[[KEPT:.*]] = llm.allocate_ranks ["q"] beta1 5.000000e-01 beta2 2.500000e-01 %[[ADALORA]] : tensor<2xi64> -> tensor<1x3xf32>
// CHECK-NEXT: %[[TOTAL:.*]] = llm.add %[[LOSS]], %[[PENALTY]] : tensor<1xf32>
// CHECK-NEXT: return %[[TOTAL]], %[[NORM]], %[[RATE]], %[[LOSS]], %[[KEPT]]

// CHECK-LABEL: func.func @evaluate_8(
// CHECK-SAME: -> (tensor<1xf32> {llm.output = "regulariser"})
// CHECK-NEXT: %[[PENALTY:.*]] = llm.orthogonality ["q"] weight 1.000000e-01 : tensor<1xf32>
// CHECK-NEXT: return %[[PENALTY]]


module attributes {llm.adapter = #llm.adapter<kind = "adalora", rank = 3, alpha = 6.0 : f64, dropout = 0.0 : f64, use_rslora = false, targets = ["q"], targets_is_regex = false, modules = ["q"], rank_pattern = {}, alpha_pattern = {}, adalora = <target_rank = 2, tinit = 1, tfinal = 2, delta_t = 4, beta1 = 0.5 : f64, beta2 = 0.25 : f64, orth_reg_weight = 0.1 : f64, total_step = 20>>} {
func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}, %labels: tensor<8xf32> {llm.input = "labels"}, %scale: tensor<1xf32> {llm.input = "loss_scale"})
    -> (tensor<1xf32> {llm.output = "loss"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %a = llm.parameter "q.lora_A" init <normal, 0.02> : tensor<3x4xf32>
  %e = llm.parameter "q.lora_E" init <zero, 0.0> : tensor<3x1xf32>
  %ea = llm.scale_rows %a, %e : tensor<3x4xf32>, tensor<3x1xf32>
  %t = llm.linear %x, %ea : (tensor<8x4xf32>, tensor<3x4xf32>) -> tensor<8x3xf32>
  %b = llm.parameter "q.lora_B" init <normal, 0.02> : tensor<1x3xf32>
  %z = llm.linear %t, %b : (tensor<8x3xf32>, tensor<1x3xf32>) -> tensor<8x1xf32>
  %loss = llm.mse %z, %labels, %scale : tensor<8x1xf32>, tensor<8xf32>, tensor<1xf32> -> tensor<1xf32>
  return %loss : tensor<1xf32>
}
func.func @evaluate_8() attributes {llm.program = #llm.program<evaluate, tokens = 8, sequences = 8>} {
  return
}
}
