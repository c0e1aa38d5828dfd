// A model that computes in bf16: the adapter's masters are f32, as PEFT's, and are
// rounded where they are used; dropout works on the activations' type.
// RUN: llama-opt %s --adapters-attach-lora="r=2 alpha=4 dropout=0.25 targets=q_proj" | FileCheck %s

// CHECK-LABEL: func.func @train_8(
// CHECK-SAME: %[[X:[^:]+]]: tensor<8x4xbf16>
// CHECK: %[[Y:.*]] = llm.linear %[[X]], %{{.*}} : (tensor<8x4xbf16>, tensor<6x4xbf16>) -> tensor<8x6xbf16>
// CHECK-NEXT: %[[D:.*]] = llm.dropout %[[X]], {{.*}} : tensor<8x4xbf16>, tensor<2xi64>
// CHECK-NEXT: %[[A:.*]] = llm.parameter "model.layers.0.self_attn.q_proj.lora_A.weight" init <uniform, 5.000000e-01 : f64> : tensor<2x4xf32>
// CHECK-NEXT: %[[A16:.*]] = llm.cast %[[A]] : tensor<2x4xf32> -> tensor<2x4xbf16>
// CHECK-NEXT: %[[T:.*]] = llm.linear %[[D]], %[[A16]] : (tensor<8x4xbf16>, tensor<2x4xbf16>) -> tensor<8x2xbf16>
// CHECK-NEXT: %[[B:.*]] = llm.parameter "model.layers.0.self_attn.q_proj.lora_B.weight" init <zero, 0.000000e+00 : f64> : tensor<6x2xf32>
// CHECK-NEXT: %[[B16:.*]] = llm.cast %[[B]] : tensor<6x2xf32> -> tensor<6x2xbf16>
// CHECK-NEXT: %[[U:.*]] = llm.linear %[[T]], %[[B16]] alpha 2.000000e+00 : (tensor<8x2xbf16>, tensor<6x2xbf16>) -> tensor<8x6xbf16>
// CHECK-NEXT: %[[S:.*]] = llm.add %[[Y]], %[[U]] : tensor<8x6xbf16>
// CHECK-NEXT: return %[[S]] : tensor<8x6xbf16>

func.func @train_8(%x: tensor<8x4xbf16> {llm.input = "x"}) -> (tensor<8x6xbf16> {llm.output = "y"})
    attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
  %w = llm.weight "model.layers.0.self_attn.q_proj.weight" : tensor<6x4xbf16>
  %q = llm.linear %x, %w : (tensor<8x4xbf16>, tensor<6x4xbf16>) -> tensor<8x6xbf16>
  return %q : tensor<8x6xbf16>
}
