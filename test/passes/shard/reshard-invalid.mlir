// Layouts that cannot be, and programs that train nothing.
// RUN: llama-opt %s --shard-reshard="source-tp=3" -split-input-file -verify-diagnostics
// RUN: not llama-opt %s --shard-reshard="target-tp=0" 2>&1 | FileCheck %s --check-prefix=ZERO
// RUN: not llama-opt %s --shard-reshard="source-dp=4294967296 source-tp=4294967296" 2>&1 | FileCheck %s --check-prefix=HUGE

// ZERO: error: a grid has 1 to 65536 devices, not dp1,tp0
// HUGE: error: a grid has 1 to 65536 devices, not dp4294967296,tp4294967296

// expected-error @+1 {{trains nothing: there is no layout to change}}
module {
  func.func @evaluate_8() {
    %w = llm.weight "w" : tensor<4x4xf32>
    return
  }
}

// -----

// Two heads of four rows, and no third of either.
module attributes {llm.model = #llm.model<name = "m", hidden = 8, intermediate = 12, layers = 1, heads = 2,
    kv_heads = 2, head_dim = 4, vocab = 6, max_positions = 8, tied_embeddings = false>} {
  func.func @train_8() {
    // expected-error @+1 {{tensor 'l.q_proj.lora_B.weight': dimension 0 of 'tensor<8x2xf32>', 2 heads, has no 3 equal parts; tp can be 1, 2}}
    %b = llm.parameter "l.q_proj.lora_B.weight" init <zero, 0.0> : tensor<8x2xf32>
    return
  }
}

// -----

module {
  func.func @train_8() {
    %b = llm.parameter "score.weight" init <zero, 0.0> : tensor<8x2xf32>
    return
  }
  func.func @evaluate_8() {
    // expected-error @+1 {{'score.weight' is 'tensor<4x2xf32>' here and 'tensor<8x2xf32>' elsewhere}}
    %b = llm.parameter "score.weight" init <zero, 0.0> : tensor<4x2xf32>
    return
  }
}
