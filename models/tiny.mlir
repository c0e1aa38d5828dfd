// tiny: a Llama decoder as a training graph. Made by `llamac import` from a
// Hugging Face config.json; to change a size, change the config and import again.
//
// Rows are tokens: all sequences of a batch lie one after another, sequence s in
// rows cu_seqlens[s] to cu_seqlens[s+1], and positions count from 0 in each. The
// number of rows (?) is fixed when the model is compiled. Weights have the names
// and shapes [out, in] of the checkpoint; {layer} is the number of the block.

!hidden = tensor<?x128xf32> // what flows from block to block
!query = tensor<?x128xf32> // 8 heads of 16
!kv = tensor<?x64xf32> // 4 key or value heads of 16
!mlp = tensor<?x256xf32>
!angles = tensor<?x8xf32> // one rotary angle for each pair of a head
!ints = tensor<?xi32>

module attributes {
  llm.level = "graph",
  llm.model = #llm.model<
    name = "tiny", hidden = 128, intermediate = 256, layers = 2,
    heads = 8, kv_heads = 4, head_dim = 16, vocab = 768,
    max_positions = 2048, tied_embeddings = false>
} {

// Token ids to the hidden states that the head reads.
func.func @hidden(%ids: !ints, %positions: !ints, %cu_seqlens: !ints) -> !hidden {
  %table = llm.weight "model.embed_tokens.weight" : tensor<768x128xf32>
  %x = llm.embedding %ids, %table : (!ints, tensor<768x128xf32>) -> !hidden
  %cos, %sin = llm.rope_table %positions theta 5.0e+05 max_positions 2048
      scaling <factor = 8.0, low_freq_factor = 1.0, high_freq_factor = 4.0,
               original_max_positions = 256>
      : !ints -> !angles

  %h = llm.layers count(2) carry(%x) shared(%cos, %sin, %cu_seqlens) : (!hidden, !angles, !angles, !ints) {
  ^block(%x: !hidden, %cos: !angles, %sin: !angles, %cu_seqlens: !ints):
    // Attention.
    %norm1_w = llm.weight "model.layers.{layer}.input_layernorm.weight" : tensor<128xf32>
    %norm1 = llm.rms_norm %x, %norm1_w eps 1.0e-05 : !hidden, tensor<128xf32>
    %q_w = llm.weight "model.layers.{layer}.self_attn.q_proj.weight" : tensor<128x128xf32>
    %k_w = llm.weight "model.layers.{layer}.self_attn.k_proj.weight" : tensor<64x128xf32>
    %v_w = llm.weight "model.layers.{layer}.self_attn.v_proj.weight" : tensor<64x128xf32>
    %q = llm.linear %norm1, %q_w : (!hidden, tensor<128x128xf32>) -> !query
    %k = llm.linear %norm1, %k_w : (!hidden, tensor<64x128xf32>) -> !kv
    %v = llm.linear %norm1, %v_w : (!hidden, tensor<64x128xf32>) -> !kv
    %q_turned = llm.rope %q, %cos, %sin : !query, !angles
    %k_turned = llm.rope %k, %cos, %sin : !kv, !angles
    %mixed, %lse = llm.attention %q_turned, %k_turned, %v, %cu_seqlens
        heads(8) kv_heads(4) scale 0.25
        : (!query, !kv, !kv, !ints) -> (!query, tensor<?x8xf32>)
    %o_w = llm.weight "model.layers.{layer}.self_attn.o_proj.weight" : tensor<128x128xf32>
    %o = llm.linear %mixed, %o_w : (!query, tensor<128x128xf32>) -> !hidden
    %attended = llm.add %x, %o : !hidden

    // MLP.
    %norm2_w = llm.weight "model.layers.{layer}.post_attention_layernorm.weight" : tensor<128xf32>
    %norm2 = llm.rms_norm %attended, %norm2_w eps 1.0e-05 : !hidden, tensor<128xf32>
    %gate_w = llm.weight "model.layers.{layer}.mlp.gate_proj.weight" : tensor<256x128xf32>
    %up_w = llm.weight "model.layers.{layer}.mlp.up_proj.weight" : tensor<256x128xf32>
    %gate = llm.linear %norm2, %gate_w : (!hidden, tensor<256x128xf32>) -> !mlp
    %up = llm.linear %norm2, %up_w : (!hidden, tensor<256x128xf32>) -> !mlp
    %activated = llm.swiglu %gate, %up : !mlp
    %down_w = llm.weight "model.layers.{layer}.mlp.down_proj.weight" : tensor<128x256xf32>
    %down = llm.linear %activated, %down_w : (!mlp, tensor<128x256xf32>) -> !hidden
    %out = llm.add %attended, %down : !hidden
    llm.yield %out : !hidden
  }

  %norm_w = llm.weight "model.norm.weight" : tensor<128xf32>
  %norm = llm.rms_norm %h, %norm_w eps 1.0e-05 : !hidden, tensor<128xf32>
  return %norm : !hidden
}

// Hidden states to the scores of the next token. The head has weights of its own.
func.func @logits(%hidden: !hidden) -> tensor<?x768xf32> {
  %w = llm.weight "lm_head.weight" : tensor<768x128xf32>
  %z = llm.linear %hidden, %w : (!hidden, tensor<768x128xf32>) -> tensor<?x768xf32>
  return %z : tensor<?x768xf32>
}
}
