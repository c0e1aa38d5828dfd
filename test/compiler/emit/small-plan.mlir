// A plan with one entry of every kind; EmitPlanTest.cpp knows its numbers, and
// the runtime's verifier accepts it.
// RUN: llama-opt %s -o /dev/null

#model = #llm.model<name = "tiny", hidden = 64, intermediate = 96, layers = 2, heads = 4,
                    kv_heads = 2, head_dim = 16, vocab = 128, max_positions = 256, tied_embeddings = true>
#task = #llm.task<name = "sst2", head = classification, labels = 2, batch = 2, max_length = 32, accumulation = 3>
#adapter = #llm.adapter<kind = "lora", rank = 8, alpha = 16.0 : f64, dropout = 0.25 : f64, use_rslora = true,
                        targets = ["q_proj", "v_proj"], targets_is_regex = false,
                        modules = ["model.layers.0.self_attn.q_proj"],
                        rank_pattern = {"layers.0.q_proj" = 4 : i64}, alpha_pattern = {"layers.1" = 2.5 : f64}>
#model_loc = loc("/somewhere/else/model.mlir":42:10)
#norm = loc("model.layers.0.input_layernorm"(#model_loc))
#scores = loc(fused["score"("model.mlir":50:3), "dropout", "score"])

module attributes {
  llm.level = "plan",
  llm.model = #model, llm.task = #task, llm.adapter = #adapter,
  plan.grid = [#plan.axis<name = "dp", size = 1>, #plan.axis<name = "tp", size = 2>],
  plan.target = #plan.target<kind = "cpu", arch = "x86-64-v3", features = "+avx2,+fma">,
  plan.flags = "--shard=tp2", plan.model_hash = "c0ffee"
} {
  plan.allocation @weights category(weights) bytes(1024)
  plan.allocation @parameters category(parameters) bytes(4096) align(4096)
  plan.allocation @inputs category(inputs) bytes(256)
  plan.allocation @outputs category(outputs) bytes(64)
  plan.allocation @constants category(constants) bytes(128)
  plan.allocation @activations category(activations) bytes(8192)
  plan.constant @three dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  plan.constant @splat dense<7> : tensor<2x2xi32>
  plan.tensor "model.norm.weight" role(weight) in @weights at 256 : tensor<64xf32> init(checkpoint)
  plan.tensor "score.weight" role(parameter) in @parameters at 64 : tensor<2x32xf32>
    init(uniform, 1.250000e-01) global [2, 64] sharding [[], [1]]
  plan.tensor "three" role(constant) in @constants at 0 : tensor<3xf32> init(data from @three)
  plan.tensor "splat" role(constant) in @constants at 64 : tensor<2x2xi32> init(data from @splat)
  plan.code_object @objects format(elf) arch("x86-64-v3") data("\7FELF\00\FF")
  plan.kernel @norm "rms_norm, 64 columns" code_object(@objects)
  plan.kernel @scale "scale, 2 columns" code_object(@objects)
  plan.program @evaluate_8 kind(evaluate) tokens(8) sequences(2) streams(2)
      activation_bytes(6144) flops(2048) bytes(4096) {
    %ids = plan.buffer in @inputs at 0 : tensor<8xi32>
    %pos = plan.buffer in @inputs at 64 : tensor<8xi32>
    %cu = plan.buffer in @inputs at 128 : tensor<3xi32>
    %logits = plan.buffer in @outputs at 0 : tensor<2x2xf32>
    %x = plan.buffer in @activations at 0 : tensor<8x64xf32>
    %w = plan.buffer in @weights at 256 : tensor<64xf32>
    %y = plan.buffer in @activations at 4096 : tensor<8x64xf32>
    %head = plan.buffer in @parameters at 64 : tensor<2x32xf32>
    %z = plan.buffer in @activations at 2048 : tensor<2x2xf32>
    plan.input "input_ids" %ids : tensor<8xi32>
    plan.input "positions" %pos : tensor<8xi32>
    plan.input "cu_seqlens" %cu : tensor<3xi32>
    plan.launch @scale reads() writes(%x) : () -> tensor<8x64xf32> loc(#norm)
    plan.launch @norm reads(%x, %w) writes(%y) scalars [-5, 8] grid [8, 2, 1] block [32, 4, 1]
      shared(512) grain(4) : (tensor<8x64xf32>, tensor<64xf32>) -> tensor<8x64xf32> loc(#norm)
    plan.fill %z with 2.500000e-01 stream(1) waits [1] : tensor<2x2xf32> loc(unknown)
    // The place of %y again: one buffer of the plan.
    %again = plan.buffer in @activations at 4096 : tensor<8x64xf32>
    plan.gemm %again, %head transpose_b into %z m(2) n(2) k(32) lda(64) ldb(32) ldd(2)
      alpha 2.000000e+00 beta 5.000000e-01 waits [2]
      : tensor<8x64xf32>, tensor<2x32xf32>, tensor<2x2xf32> loc(#scores)
    plan.collective all_reduce_sum axes [1] %z to %z : tensor<2x2xf32>, tensor<2x2xf32> loc(#scores)
    plan.copy %z to %logits : tensor<2x2xf32>, tensor<2x2xf32> loc(#scores)
    plan.output "logits" %logits : tensor<2x2xf32>
  }
}
