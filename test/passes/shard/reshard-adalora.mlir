// AdaLoRA's averages go along with their factors, and its mask, which is whole.
// RUN: llama-opt %s --shard-reshard="target-tp=2" | FileCheck %s
// RUN: llama-opt %s --shard-reshard="source-tp=2 target-tp=4" --shard-verify-reshard -o /dev/null

// CHECK: plan.allocation @target_sensitivity category(optimizer_state)
// CHECK-NEXT: plan.tensor "l.q_proj.lora_A" role(sensitivity) in @target_sensitivity at 0 : tensor<2x8xf32> init(zero) global [2, 8] sharding {{\[}}[], []] part(target, 0)
// CHECK-NEXT: plan.tensor "l.q_proj.lora_E" role(sensitivity) in @target_sensitivity at 64 : tensor<2x1xf32>
// CHECK-NEXT: plan.tensor "l.q_proj.lora_B" role(sensitivity) in @target_sensitivity at 128 : tensor<4x2xf32> init(zero) global [8, 2] sharding {{\[}}[1], []] part(target, 0)
// CHECK-NEXT: plan.tensor "l.q_proj.lora_B" role(sensitivity) in @target_sensitivity at 192 : tensor<4x2xf32> init(zero) global [8, 2] sharding {{\[}}[1], []] part(target, 1)
// The head has none.
// CHECK-NOT: score.weight
// CHECK: plan.allocation @source_uncertainty category(optimizer_state)
// CHECK: plan.tensor "adalora.kept" role(state) in @target_optimizer_state at 192 : tensor<1x2xf32> init(zero) global [1, 2] sharding {{\[}}[], []] part(target, 0)
// A and E five times, B five times in two halves, the head three times, state four times.
// CHECK: plan.program @reshard
// CHECK-COUNT-27: plan.copy
// CHECK-NOT: plan.copy
module attributes {llm.level = "train",
  llm.adapter = #llm.adapter<kind = "adalora", rank = 2, alpha = 6.0 : f64, dropout = 0.0 : f64, use_rslora = false,
    targets = ["q_proj"], targets_is_regex = false, modules = ["l.q_proj"], rank_pattern = {}, alpha_pattern = {},
    adalora = <target_rank = 1, tinit = 1, tfinal = 2, delta_t = 4, beta1 = 0.5 : f64, beta2 = 0.25 : f64,
      orth_reg_weight = 0.1 : f64, total_step = 20>>} {
func.func @train_8() attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %a = llm.parameter "l.q_proj.lora_A" init <normal, 0.02> : tensor<2x8xf32>
  %e = llm.parameter "l.q_proj.lora_E" init <zero, 0.0> : tensor<2x1xf32>
  %b = llm.parameter "l.q_proj.lora_B" init <normal, 0.02> : tensor<8x2xf32>
  %s = llm.parameter "score.weight" init <uniform, 0.5> : tensor<3x8xf32>
  return
}
}
