// Triplets beside the layers that the targets select: E scales the rows of A.
// RUN: llama-opt %s --adapters-attach-adalora="init-r=3 target-r=2 alpha=6 tinit=1 tfinal=2 delta-t=4 beta1=0.5 beta2=0.25 orth-reg-weight=0.1 total-step=20 targets=q_proj" | FileCheck %s
// RUN: llama-opt %s --adapters-attach-adalora="init-r=3 target-r=2 dropout=0.25 targets=q_proj" | FileCheck %s --check-prefix=DROPOUT

// CHECK: module attributes {llm.adapter = #llm.adapter<kind = "adalora", rank = 3, alpha = 6.000000e+00 : f64, dropout = 0.000000e+00 : f64, use_rslora = false, targets = ["q_proj"], targets_is_regex = false, modules = ["model.layers.0.self_attn.q_proj"], rank_pattern = {}, alpha_pattern = {}, adalora = <target_rank = 2, tinit = 1, tfinal = 2, delta_t = 4, beta1 = 5.000000e-01 : f64, beta2 = 2.500000e-01 : f64, orth_reg_weight = 1.000000e-01 : f64, total_step = 20>>} {
// CHECK-LABEL: func.func @train_8(
// CHECK: %[[Y:.*]] = llm.linear %[[X:.*]], %{{.*}} : (tensor<8x4xbf16>, tensor<6x4xbf16>) -> tensor<8x6xbf16>
// CHECK-NEXT: %[[A:.*]] = llm.parameter "model.layers.0.self_attn.q_proj.lora_A" init <normal, 2.000000e-02 : f64> : tensor<3x4xf32>
// CHECK-NEXT: %[[E:.*]] = llm.parameter "model.layers.0.self_attn.q_proj.lora_E" init <zero, 0.000000e+00 : f64> : tensor<3x1xf32>
// CHECK-NEXT: %[[EA:.*]] = llm.scale_rows %[[A]], %[[E]] : tensor<3x4xf32>, tensor<3x1xf32>
// CHECK-NEXT: %[[ROUNDED:.*]] = llm.cast %[[EA]] : tensor<3x4xf32> -> tensor<3x4xbf16>
// CHECK-NEXT: %[[T:.*]] = llm.linear %[[X]], %[[ROUNDED]] : (tensor<8x4xbf16>, tensor<3x4xbf16>) -> tensor<8x3xbf16>
// CHECK-NEXT: %[[B:.*]] = llm.parameter "model.layers.0.self_attn.q_proj.lora_B" init <normal, 2.000000e-02 : f64> : tensor<6x3xf32>
// CHECK-NEXT: %[[UP:.*]] = llm.cast %[[B]]
// 6 / (3 + 1e-5), in float32.
// CHECK-NEXT: %[[U:.*]] = llm.linear %[[T]], %[[UP]] alpha 1.99999{{[0-9e+]*}} :
// CHECK-NEXT: llm.add %[[Y]], %[[U]] : tensor<8x6xbf16>

// DROPOUT: total_step = 0>
// DROPOUT-LABEL: func.func @train_8(
// DROPOUT: %[[D:.*]] = llm.dropout
// DROPOUT: llm.linear %[[D]], %{{.*}} : (tensor<8x4xbf16>, tensor<3x4xbf16>)

func.func @train_8(%x: tensor<8x4xbf16> {llm.input = "x"}) -> (tensor<8x6xbf16> {llm.output = "logits"})
    attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
  %w = llm.weight "model.layers.0.self_attn.q_proj.weight" : tensor<6x4xbf16>
  %y = llm.linear %x, %w : (tensor<8x4xbf16>, tensor<6x4xbf16>) -> tensor<8x6xbf16>
  return %y : tensor<8x6xbf16>
}
