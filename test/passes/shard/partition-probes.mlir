// Probes of parts: statistics of columns are gathered and joined, those of a
// weight are terms of a sum, and a weight's gradient is whole over the batch
// before its norm is taken.
// RUN: llama-opt %s --shard-annotate="dp=2 tp=2" --shard-partition --shard-verify | FileCheck %s

// CHECK-LABEL: func.func @probe_8(
// CHECK: %[[W:.*]] = llm.weight "model.layers.0.self_attn.q_proj.weight" {{.*}} : tensor<32x64xf32>
// CHECK: %[[Y:.*]] = llm.linear %[[X:.*]], %[[W]] : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
// The input is whole: nothing to join.
// CHECK: %[[IN:.*]] = llm.probe %[[X]] threshold 1.000000e-02 : tensor<8x64xf32> -> tensor<8x4xf32>
// CHECK: %[[PART:.*]] = llm.probe %[[Y]] threshold 1.000000e-02 : tensor<8x32xf32> -> tensor<8x4xf32>
// CHECK-NEXT: %[[PARTS:.*]] = shard.all_gather %[[PART]] on @grid grid_axes = [1] gather_axis = 0 : tensor<8x4xf32> -> tensor<16x4xf32>
// CHECK-NEXT: %[[OUT:.*]] = llm.join_probe %[[PARTS]] columns 32 : tensor<16x4xf32> -> tensor<8x4xf32>
// CHECK: %[[TERM:.*]] = llm.matmul %[[Y]], %[[X]] transpose_a : (tensor<8x32xf32>, tensor<8x64xf32>) -> tensor<32x64xf32>
// CHECK-NEXT: %[[DW:.*]] = shard.all_reduce %[[TERM]] on @grid grid_axes = [0]
// CHECK-NEXT: %[[SUMS:.*]] = llm.probe_weight %[[DW]], %[[W]] : tensor<32x64xf32>, tensor<32x64xf32> -> tensor<3xf32>
// CHECK-NEXT: %[[WHOLE:.*]] = shard.all_reduce %[[SUMS]] on @grid grid_axes = [1]
// CHECK-NEXT: return %[[IN]], %[[OUT]], %[[WHOLE]]
module attributes {llm.model = #llm.model<name = "m", hidden = 64, intermediate = 96, layers = 1, heads = 4, kv_heads = 2, head_dim = 16, vocab = 128, max_positions = 64, tied_embeddings = false>} {
  func.func @probe_8(%x: tensor<8x64xf32> {llm.input = "x"}) -> (tensor<8x4xf32> {llm.output = "a:input"}, tensor<8x4xf32> {llm.output = "a:output"}, tensor<3xf32> {llm.output = "a:weight_gradient"})
      attributes {llm.program = #llm.program<probe, tokens = 8, sequences = 2>} {
    %w = llm.weight "model.layers.0.self_attn.q_proj.weight" : tensor<64x64xf32>
    %y = llm.linear %x, %w : (tensor<8x64xf32>, tensor<64x64xf32>) -> tensor<8x64xf32>
    %in = llm.probe %x threshold 0.01 : tensor<8x64xf32> -> tensor<8x4xf32>
    %out = llm.probe %y threshold 0.01 : tensor<8x64xf32> -> tensor<8x4xf32>
    %dw = llm.matmul %y, %x transpose_a : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<64x64xf32>
    %sums = llm.probe_weight %dw, %w : tensor<64x64xf32>, tensor<64x64xf32> -> tensor<3xf32>
    return %in, %out, %sums : tensor<8x4xf32>, tensor<8x4xf32>, tensor<3xf32>
  }
}
