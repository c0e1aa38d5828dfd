// llama3.2-3b: a Llama decoder as a training graph. Made by `llamac import` from a
// Hugging Face config.json; to change a size, change the config and import again.
//
// Rows are tokens: all sequences of a batch lie one after another, sequence s in
// rows cu_seqlens[s] to cu_seqlens[s+1], and positions count from 0 in each. The
// number of rows (?) is fixed when the model is compiled. Weights have the names
// and shapes [out, in] of the checkpoint; {layer} is the number of the block.

!hidden = tensor<?x3072xbf16> // what flows from block to block
!query = tensor<?x3072xbf16> // 24 heads of 128
!kv = tensor<?x1024xbf16> // 8 key or value heads of 128
!mlp = tensor<?x8192xbf16>
!angles = tensor<?x64xf32> // one rotary angle for each pair of a head
!ints = tensor<?xi32>

module attributes {
  llm.level = "graph",
  llm.model = #llm.model<
    name = "llama3.2-3b", hidden = 3072, intermediate = 8192, layers = 28,
    heads = 24, kv_heads = 8, head_dim = 128, vocab = 128256,
    max_positions = 131072, tied_embeddings = true>
} {

// Token ids to the hidden states that the head reads.
func.func @hidden(%ids: !ints, %positions: !ints, %cu_seqlens: !ints) -> !hidden {
  %table = llm.weight "model.embed_tokens.weight" : tensor<128256x3072xbf16>
  %x = llm.embedding %ids, %table : (!ints, tensor<128256x3072xbf16>) -> !hidden
  %cos, %sin = llm.rope_table %positions theta 5.0e+05 max_positions 131072
      scaling <factor = 32.0, low_freq_factor = 1.0, high_freq_factor = 4.0,
               original_max_positions = 8192>
      : !ints -> !angles

  %h = llm.layers count(28) carry(%x) shared(%cos, %sin, %cu_seqlens) : (!hidden, !angles, !angles, !ints) {
  ^block(%x: !hidden, %cos: !angles, %sin: !angles, %cu_seqlens: !ints):
    // Attention.
    %norm1_w = llm.weight "model.layers.{layer}.input_layernorm.weight" : tensor<3072xbf16>
    %norm1 = llm.rms_norm %x, %norm1_w eps 1.0e-05 : !hidden, tensor<3072xbf16>
    %q_w = llm.weight "model.layers.{layer}.self_attn.q_proj.weight" : tensor<3072x3072xbf16>
    %k_w = llm.weight "model.layers.{layer}.self_attn.k_proj.weight" : tensor<1024x3072xbf16>
    %v_w = llm.weight "model.layers.{layer}.self_attn.v_proj.weight" : tensor<1024x3072xbf16>
    %q = llm.linear %norm1, %q_w : (!hidden, tensor<3072x3072xbf16>) -> !query
    %k = llm.linear %norm1, %k_w : (!hidden, tensor<1024x3072xbf16>) -> !kv
    %v = llm.linear %norm1, %v_w : (!hidden, tensor<1024x3072xbf16>) -> !kv
    %q_turned = llm.rope %q, %cos, %sin : !query, !angles
    %k_turned = llm.rope %k, %cos, %sin : !kv, !angles
    %mixed, %lse = llm.attention %q_turned, %k_turned, %v, %cu_seqlens
        heads(24) kv_heads(8) scale 0.08838834764831843
        : (!query, !kv, !kv, !ints) -> (!query, tensor<?x24xf32>)
    %o_w = llm.weight "model.layers.{layer}.self_attn.o_proj.weight" : tensor<3072x3072xbf16>
    %o = llm.linear %mixed, %o_w : (!query, tensor<3072x3072xbf16>) -> !hidden
    %attended = llm.add %x, %o : !hidden

    // MLP.
    %norm2_w = llm.weight "model.layers.{layer}.post_attention_layernorm.weight" : tensor<3072xbf16>
    %norm2 = llm.rms_norm %attended, %norm2_w eps 1.0e-05 : !hidden, tensor<3072xbf16>
    %gate_w = llm.weight "model.layers.{layer}.mlp.gate_proj.weight" : tensor<8192x3072xbf16>
    %up_w = llm.weight "model.layers.{layer}.mlp.up_proj.weight" : tensor<8192x3072xbf16>
    %gate = llm.linear %norm2, %gate_w : (!hidden, tensor<8192x3072xbf16>) -> !mlp
    %up = llm.linear %norm2, %up_w : (!hidden, tensor<8192x3072xbf16>) -> !mlp
    %activated = llm.swiglu %gate, %up : !mlp
    %down_w = llm.weight "model.layers.{layer}.mlp.down_proj.weight" : tensor<3072x8192xbf16>
    %down = llm.linear %activated, %down_w : (!mlp, tensor<3072x8192xbf16>) -> !hidden
    %out = llm.add %attended, %down : !hidden
    llm.yield %out : !hidden
  }

  %norm_w = llm.weight "model.norm.weight" : tensor<3072xbf16>
  %norm = llm.rms_norm %h, %norm_w eps 1.0e-05 : !hidden, tensor<3072xbf16>
  return %norm : !hidden
}

// Hidden states to the scores of the next token. The embedding table is the head.
func.func @logits(%hidden: !hidden) -> tensor<?x128256xbf16> {
  %w = llm.weight "model.embed_tokens.weight" : tensor<128256x3072xbf16>
  %z = llm.linear %hidden, %w : (!hidden, tensor<128256x3072xbf16>) -> tensor<?x128256xbf16>
  return %z : tensor<?x128256xbf16>
}
}
