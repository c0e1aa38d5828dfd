// Every op of the dialect parses, prints and parses again to the same text. The
// operations are the examples of the ODS descriptions.
// RUN: llama-opt %s | FileCheck %s
// RUN: llama-opt %s | llama-opt | FileCheck %s
// RUN: llama-opt %s --mlir-print-op-generic | llama-opt | FileCheck %s

// CHECK: module attributes {
// CHECK-SAME: llm.adapter = #llm.adapter<kind = "lora", rank = 8, alpha = 1.600000e+01 : f64, dropout = 1.000000e-01 : f64, use_rslora = false, targets = ["q_proj"], targets_is_regex = false, modules = ["model.layers.0.self_attn.q_proj"], rank_pattern = {v_proj = 4 : i64}, alpha_pattern = {}>
// CHECK-SAME: llm.model = #llm.model<name = "tiny", hidden = 64, intermediate = 96, layers = 2, heads = 4, kv_heads = 2, head_dim = 16, vocab = 128, max_positions = 128, tied_embeddings = true>
// CHECK-SAME: llm.task = #llm.task<name = "sst2", head = classification, labels = 2, batch = 8, max_length = 128, accumulation = 1>
module attributes {
  llm.model = #llm.model<name = "tiny", hidden = 64, intermediate = 96, layers = 2, heads = 4, kv_heads = 2,
                         head_dim = 16, vocab = 128, max_positions = 128, tied_embeddings = true>,
  llm.task = #llm.task<name = "sst2", head = classification, labels = 2, batch = 8, max_length = 128, accumulation = 1>,
  llm.adapter = #llm.adapter<kind = "lora", rank = 8, alpha = 16.0, dropout = 0.1, use_rslora = false,
                             targets = ["q_proj"], targets_is_regex = false,
                             modules = ["model.layers.0.self_attn.q_proj"],
                             rank_pattern = {v_proj = 4 : i64}, alpha_pattern = {}>
} {

// CHECK-LABEL: func @program
// CHECK-SAME: llm.program = #llm.program<train, tokens = 64, sequences = 8>
func.func @program() attributes {llm.program = #llm.program<train, tokens = 64, sequences = 8>} {
  return
}

// CHECK-LABEL: func @persistent
func.func @persistent() {
  // CHECK: llm.weight "model.layers.0.self_attn.q_proj.weight" : tensor<64x64xf32>
  %w = llm.weight "model.layers.0.self_attn.q_proj.weight" : tensor<64x64xf32>
  // CHECK: llm.parameter "model.layers.0.self_attn.q_proj.lora_A.weight" init <uniform, 1.250000e-01 : f64> : tensor<8x64xf32>
  %a = llm.parameter "model.layers.0.self_attn.q_proj.lora_A.weight"
         init <uniform, 1.250000e-01> : tensor<8x64xf32>
  // CHECK: llm.parameter "b" init <zero, 0.000000e+00 : f64> : tensor<64x8xf32>
  %b = llm.parameter "b" init <zero, 0.0> : tensor<64x8xf32>
  // CHECK: llm.constant dense<[1, 2]> : tensor<2xi32> : tensor<2xi32>
  %c = llm.constant dense<[1, 2]> : tensor<2xi32> : tensor<2xi32>
  return
}

// CHECK-LABEL: func @layers
func.func @layers(%x: tensor<?x64xf32>, %cos: tensor<?x8xf32>) -> tensor<?x64xf32> {
  // CHECK: llm.layers count(2) carry(%{{.*}}) shared(%{{.*}}) : (tensor<?x64xf32>, tensor<?x8xf32>) {
  // CHECK-NEXT: ^bb0(%[[A:.*]]: tensor<?x64xf32>, %{{.*}}: tensor<?x8xf32>):
  // CHECK-NEXT: %[[W:.*]] = llm.weight "model.layers.{layer}.input_layernorm.weight" : tensor<64xf32>
  // CHECK-NEXT: %[[N:.*]] = llm.rms_norm %[[A]], %[[W]] eps 1.000000e-05 : tensor<?x64xf32>, tensor<64xf32>
  // CHECK-NEXT: llm.yield %[[N]] : tensor<?x64xf32>
  // CHECK-NEXT: }
  %h = llm.layers count(2) carry(%x) shared(%cos) : (tensor<?x64xf32>, tensor<?x8xf32>) {
  ^bb0(%a: tensor<?x64xf32>, %c: tensor<?x8xf32>):
    %w = llm.weight "model.layers.{layer}.input_layernorm.weight" : tensor<64xf32>
    %n = llm.rms_norm %a, %w eps 1.0e-05 : tensor<?x64xf32>, tensor<64xf32>
    llm.yield %n : tensor<?x64xf32>
  }
  // Nothing shared, and an attribute of its own.
  // CHECK: llm.layers count(3) carry(%{{.*}}) : (tensor<?x64xf32>) attributes {note = "kept"} {
  %i = llm.layers count(3) carry(%h) : (tensor<?x64xf32>) attributes {note = "kept"} {
  ^bb0(%a: tensor<?x64xf32>):
    llm.yield %a : tensor<?x64xf32>
  }
  return %i : tensor<?x64xf32>
}

// CHECK-LABEL: func @decoder
func.func @decoder(%ids: tensor<8xi32>, %table: tensor<128x64xf32>, %pos: tensor<8xi32>,
                   %x: tensor<8x64xf32>, %w: tensor<64xf32>, %wk: tensor<32x64xf32>,
                   %gate: tensor<8x96xf32>, %up: tensor<8x96xf32>, %cu: tensor<3xi32>,
                   %last: tensor<2xi32>, %pool: tensor<8xi32>, %random: tensor<2xi64>) {
  // CHECK: llm.embedding %{{.*}}, %{{.*}} : (tensor<8xi32>, tensor<128x64xf32>) -> tensor<8x64xf32>
  %h = llm.embedding %ids, %table : (tensor<8xi32>, tensor<128x64xf32>) -> tensor<8x64xf32>
  // CHECK: %[[COS:.*]], %[[SIN:.*]] = llm.rope_table %{{.*}} theta 5.000000e+05 max_positions 128 : tensor<8xi32> -> tensor<8x8xf32>
  %cos, %sin = llm.rope_table %pos theta 5.0e+05 max_positions 128 : tensor<8xi32> -> tensor<8x8xf32>
  // CHECK: llm.rope_table %{{.*}} theta 5.000000e+05 max_positions 128 scaling <factor = 8.000000e+00 : f64, low_freq_factor = 1.000000e+00 : f64, high_freq_factor = 4.000000e+00 : f64, original_max_positions = 64> : tensor<8xi32> -> tensor<8x8xf32>
  %cos3, %sin3 = llm.rope_table %pos theta 5.0e+05 max_positions 128
      scaling <factor = 8.0, low_freq_factor = 1.0, high_freq_factor = 4.0, original_max_positions = 64>
      : tensor<8xi32> -> tensor<8x8xf32>
  // CHECK: llm.rms_norm %{{.*}}, %{{.*}} eps 1.000000e-05 : tensor<8x64xf32>, tensor<64xf32>
  %n = llm.rms_norm %x, %w eps 1.0e-05 : tensor<8x64xf32>, tensor<64xf32>
  // CHECK: llm.linear %{{.*}}, %{{.*}} : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  %k = llm.linear %x, %wk : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  // CHECK: llm.linear %{{.*}}, %{{.*}} alpha 2.000000e+00 : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  %v = llm.linear %x, %wk alpha 2.0 : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  // CHECK: %[[R:.*]] = llm.rope %{{.*}}, %[[COS]], %[[SIN]] : tensor<8x64xf32>, tensor<8x8xf32>
  %r = llm.rope %x, %cos, %sin : tensor<8x64xf32>, tensor<8x8xf32>
  // CHECK: llm.rope %[[R]], %[[COS]], %[[SIN]] inverse : tensor<8x64xf32>, tensor<8x8xf32>
  %ri = llm.rope %r, %cos, %sin inverse : tensor<8x64xf32>, tensor<8x8xf32>
  // CHECK: %{{.*}}, %{{.*}} = llm.attention %[[R]], %{{.*}}, %{{.*}}, %{{.*}} heads(4) kv_heads(2) scale 2.500000e-01 : (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<3xi32>) -> (tensor<8x64xf32>, tensor<8x4xf32>)
  %o, %lse = llm.attention %r, %k, %v, %cu heads(4) kv_heads(2) scale 2.5e-01
      : (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<3xi32>)
        -> (tensor<8x64xf32>, tensor<8x4xf32>)
  // CHECK: llm.swiglu %{{.*}}, %{{.*}} : tensor<8x96xf32>
  %act = llm.swiglu %gate, %up : tensor<8x96xf32>
  // CHECK: llm.add %{{.*}}, %{{.*}} : tensor<8x64xf32>
  %s = llm.add %o, %h : tensor<8x64xf32>
  // CHECK: llm.gather_rows %{{.*}}, %{{.*}}, %{{.*}} : (tensor<8x64xf32>, tensor<2xi32>, tensor<8xi32>) -> tensor<2x64xf32>
  %p = llm.gather_rows %h, %last, %pool : (tensor<8x64xf32>, tensor<2xi32>, tensor<8xi32>) -> tensor<2x64xf32>
  // CHECK: llm.dropout %{{.*}}, %{{.*}} key "layers.0.q_proj" p 1.000000e-01 : tensor<8x64xf32>, tensor<2xi64>
  %d = llm.dropout %x, %random key "layers.0.q_proj" p 1.0e-01 : tensor<8x64xf32>, tensor<2xi64>
  return
}

// CHECK-LABEL: func @losses
func.func @losses(%z: tensor<2x2xf32>, %labels: tensor<2xi32>, %scale: tensor<1xf32>, %dloss: tensor<1xf32>,
                  %y: tensor<2x1xf32>, %targets: tensor<2xf32>) {
  // CHECK: llm.cross_entropy %{{.*}}, %{{.*}}, %{{.*}} : tensor<2x2xf32>, tensor<2xi32>, tensor<1xf32> -> tensor<1xf32>
  %loss = llm.cross_entropy %z, %labels, %scale : tensor<2x2xf32>, tensor<2xi32>, tensor<1xf32> -> tensor<1xf32>
  // CHECK: llm.cross_entropy_grad %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : tensor<2x2xf32>, tensor<2xi32>, tensor<1xf32>, tensor<1xf32>
  %dz = llm.cross_entropy_grad %z, %labels, %scale, %dloss : tensor<2x2xf32>, tensor<2xi32>, tensor<1xf32>, tensor<1xf32>
  // CHECK: llm.mse %{{.*}}, %{{.*}}, %{{.*}} : tensor<2x1xf32>, tensor<2xf32>, tensor<1xf32> -> tensor<1xf32>
  %mse = llm.mse %y, %targets, %scale : tensor<2x1xf32>, tensor<2xf32>, tensor<1xf32> -> tensor<1xf32>
  // CHECK: llm.mse_grad %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : tensor<2x1xf32>, tensor<2xf32>, tensor<1xf32>, tensor<1xf32>
  %dy = llm.mse_grad %y, %targets, %scale, %dloss : tensor<2x1xf32>, tensor<2xf32>, tensor<1xf32>, tensor<1xf32>
  return
}

// CHECK-LABEL: func @gradients
func.func @gradients(%x: tensor<8x64xf32>, %w: tensor<64xf32>, %dy: tensor<8x64xf32>, %g: tensor<8x96xf32>,
                     %k: tensor<8x32xf32>, %cu: tensor<3xi32>, %lse: tensor<8x4xf32>,
                     %p: tensor<2x64xf32>, %pool: tensor<8xi32>) {
  // CHECK: llm.rms_norm_grad %{{.*}}, %{{.*}}, %{{.*}} eps 1.000000e-05 : tensor<8x64xf32>, tensor<64xf32>
  %a = llm.rms_norm_grad %x, %w, %dy eps 1.0e-05 : tensor<8x64xf32>, tensor<64xf32>
  // CHECK: %{{.*}}, %{{.*}} = llm.swiglu_grad %{{.*}}, %{{.*}}, %{{.*}} : tensor<8x96xf32>
  %dg, %du = llm.swiglu_grad %g, %g, %g : tensor<8x96xf32>
  // CHECK: %{{.*}}, %{{.*}}, %{{.*}} = llm.attention_grad %{{.*}} heads(4) kv_heads(2) scale 2.500000e-01 :
  %dq, %dk, %dv = llm.attention_grad %x, %k, %k, %cu, %x, %lse, %dy heads(4) kv_heads(2) scale 2.5e-01
      : (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<3xi32>, tensor<8x64xf32>, tensor<8x4xf32>,
         tensor<8x64xf32>) -> (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>)
  // CHECK: llm.scatter_rows %{{.*}}, %{{.*}} : (tensor<2x64xf32>, tensor<8xi32>) -> tensor<8x64xf32>
  %dh = llm.scatter_rows %p, %pool : (tensor<2x64xf32>, tensor<8xi32>) -> tensor<8x64xf32>
  return
}

// CHECK-LABEL: func @matmul
func.func @matmul(%dy: tensor<8x32xf32>, %w: tensor<32x64xf32>, %x: tensor<8x64xf32>, %acc: tensor<8x64xf32>,
                  %b: tensor<8x32xbf16>, %v: tensor<64x32xbf16>) {
  // CHECK: llm.matmul %{{.*}}, %{{.*}} : (tensor<8x32xf32>, tensor<32x64xf32>) -> tensor<8x64xf32>
  %d = llm.matmul %dy, %w : (tensor<8x32xf32>, tensor<32x64xf32>) -> tensor<8x64xf32>
  // CHECK: llm.matmul %{{.*}}, %{{.*}} transpose_a alpha 2.000000e+00 : (tensor<8x32xf32>, tensor<8x64xf32>) -> tensor<32x64xf32>
  %g = llm.matmul %dy, %x transpose_a alpha 2.0 : (tensor<8x32xf32>, tensor<8x64xf32>) -> tensor<32x64xf32>
  // CHECK: llm.matmul %{{.*}}, %{{.*}} accumulate(%{{.*}}) : (tensor<8x32xf32>, tensor<32x64xf32>, tensor<8x64xf32>) -> tensor<8x64xf32>
  %s = llm.matmul %dy, %w accumulate(%acc) : (tensor<8x32xf32>, tensor<32x64xf32>, tensor<8x64xf32>) -> tensor<8x64xf32>
  // The accumulator of a bf16 product can be stored as it is.
  // CHECK: llm.matmul %{{.*}}, %{{.*}} transpose_b : (tensor<8x32xbf16>, tensor<64x32xbf16>) -> tensor<8x64xf32>
  %f = llm.matmul %b, %v transpose_b : (tensor<8x32xbf16>, tensor<64x32xbf16>) -> tensor<8x64xf32>
  return
}

// CHECK-LABEL: func @optimizer
func.func @optimizer(%g: tensor<2x64xf32>, %hyper: tensor<8xf64>) {
  // CHECK: llm.gradient "score.weight", %{{.*}} : tensor<2x64xf32>
  llm.gradient "score.weight", %g : tensor<2x64xf32>
  // CHECK: llm.pending_gradient "score.weight" : tensor<2x64xf32>
  %p = llm.pending_gradient "score.weight" : tensor<2x64xf32>
  // CHECK: llm.optimizer_step ["score.weight"] %{{.*}} : tensor<8xf64> -> tensor<1xf32>, tensor<1xf32>
  %norm, %lr = llm.optimizer_step ["score.weight"] %hyper : tensor<8xf64> -> tensor<1xf32>, tensor<1xf32>
  // CHECK: llm.optimizer_step ["score.weight"] %{{.*}} clear_gradients : tensor<8xf64>
  %norm2, %lr2 = llm.optimizer_step ["score.weight"] %hyper clear_gradients : tensor<8xf64> -> tensor<1xf32>, tensor<1xf32>
  return
}

// CHECK-LABEL: func @fused
func.func @fused(%x: tensor<8x64xf32>, %w: tensor<64xf32>) {
  // CHECK: llm.rowwise rows(8) cols(64) ins(%{{.*}}, %{{.*}} : tensor<8x64xf32>, tensor<64xf32>)
  // CHECK-SAME: indexed_by [-1, -1] outs [0]
  // CHECK: llm.row_reduce add %{{.*}} : f32
  // CHECK: llm.yield %{{.*}} : f32
  %n = llm.rowwise rows(8) cols(64) ins(%x, %w : tensor<8x64xf32>, tensor<64xf32>)
         maps [affine_map<(r, c) -> (r, c)>, affine_map<(r, c) -> (c)>] indexed_by [-1, -1]
         outs [0] at [affine_map<(r, c) -> (r, c)>] -> (tensor<8x64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %n = arith.constant 64.0 : f32
    %sq = arith.mulf %a, %a : f32
    %sum = llm.row_reduce add %sq : f32
    %mean = arith.divf %sum, %n : f32
    %r = math.rsqrt %mean : f32
    %ar = arith.mulf %a, %r : f32
    %y = arith.mulf %ar, %b : f32
    llm.yield %y : f32
  }
  // CHECK: llm.row_reduce max
  // CHECK: llm.row_index : i64
  // CHECK: llm.column_index : i64
  %m = llm.rowwise rows(8) cols(64) ins(%x : tensor<8x64xf32>)
         maps [affine_map<(r, c) -> (r, c)>] indexed_by [-1]
         outs [0] at [affine_map<(r, c) -> (r, c)>] -> (tensor<8x64xf32>) {
  ^bb0(%a: f32):
    %max = llm.row_reduce max %a : f32
    %i = llm.row_index : i64
    %j = llm.column_index : i64
    llm.yield %max : f32
  }
  return
}

// CHECK-LABEL: func @flat
func.func @flat() {
  // CHECK: %[[F:.*]] = llm.flat_load parameters : tensor<2x1024xf32>
  %f = llm.flat_load parameters : tensor<2x1024xf32>
  // CHECK: llm.flat_store first_moments, %[[F]] : tensor<2x1024xf32>
  llm.flat_store first_moments, %f : tensor<2x1024xf32>
  // CHECK: llm.flat_clear gradients : tensor<2x1024xf32>
  llm.flat_clear gradients : tensor<2x1024xf32>
  return
}
}

// CHECK-LABEL: func @cast
func.func @cast(%x: tensor<8x64xf32>, %y: tensor<?x64xbf16>) {
  // CHECK: llm.cast %{{.*}} : tensor<8x64xf32> -> tensor<8x64xbf16>
  %a = llm.cast %x : tensor<8x64xf32> -> tensor<8x64xbf16>
  // CHECK: llm.cast %{{.*}} : tensor<?x64xbf16> -> tensor<?x64xf32>
  %b = llm.cast %y : tensor<?x64xbf16> -> tensor<?x64xf32>
  return
}

// CHECK-LABEL: func @panels
func.func @panels(%x: tensor<8x64xf32>, %t: tensor<8x8xf32>) {
  // CHECK: %[[XT:.*]] = llm.concat %{{.*}}, %{{.*}} : (tensor<8x64xf32>, tensor<8x8xf32>) -> tensor<8x72xf32>
  %xt = llm.concat %x, %t : (tensor<8x64xf32>, tensor<8x8xf32>) -> tensor<8x72xf32>
  // CHECK: llm.concat %{{.*}} : (tensor<8x64xf32>) -> tensor<8x64xf32>
  %one = llm.concat %x : (tensor<8x64xf32>) -> tensor<8x64xf32>
  // The last columns and the last row: a panel may end where the matrix ends.
  // CHECK: llm.panel %[[XT]] at{{ ?}}[0, 64] : tensor<8x72xf32> -> tensor<8x8xf32>
  %p = llm.panel %xt at [0, 64] : tensor<8x72xf32> -> tensor<8x8xf32>
  // CHECK: llm.panel %[[XT]] at{{ ?}}[7, 0] : tensor<8x72xf32> -> tensor<1x72xf32>
  %q = llm.panel %xt at [7, 0] : tensor<8x72xf32> -> tensor<1x72xf32>
  return
}

// CHECK-LABEL: func @folded
func.func @folded(%params: tensor<2x1024xf32>, %segments: tensor<4x7xi64>) {
  // CHECK: llm.fold_factors
  llm.fold_factors
  // CHECK: llm.folded_weight ["q_proj.weight", "k_proj.weight"] rows [64, 32]
  // CHECK-SAME: a ["q_proj.lora_A.weight", ""] b ["q_proj.lora_B.weight", ""] ranks [4, 0]
  // CHECK-SAME: scales [2.000000e+00, 0.000000e+00] pad 8 : tensor<104x72xf32>
  %f = llm.folded_weight ["q_proj.weight", "k_proj.weight"] rows [64, 32]
      a ["q_proj.lora_A.weight", ""] b ["q_proj.lora_B.weight", ""] ranks [4, 0] scales [2.0, 0.0] pad 8
      : tensor<104x72xf32>
  // Weights that only share an input: no padding at all.
  // CHECK: llm.folded_weight ["gate", "up"] rows [4, 4] a ["", ""] b ["", ""] ranks [0, 0] scales [0.000000e+00, 0.000000e+00] pad 0 : tensor<8x4xbf16>
  %g = llm.folded_weight ["gate", "up"] rows [4, 4] a ["", ""] b ["", ""] ranks [0, 0] scales [0.0, 0.0] pad 0
      : tensor<8x4xbf16>
  // CHECK: llm.fold_into %{{.*}}, %{{.*}} : (tensor<2x1024xf32>, tensor<4x7xi64>) -> tensor<8192xbf16>
  %w = llm.fold_into %params, %segments : (tensor<2x1024xf32>, tensor<4x7xi64>) -> tensor<8192xbf16>
  return
}

// CHECK-LABEL: func @sums
func.func @sums(%y: tensor<2x4xbf16>, %s: tensor<1xf32>) {
  // CHECK: %[[L:.*]] = llm.sum %{{.*}}, %{{.*}} : tensor<2x4xbf16>, tensor<1xf32> -> tensor<1xf32>
  %l = llm.sum %y, %s : tensor<2x4xbf16>, tensor<1xf32> -> tensor<1xf32>
  // CHECK: llm.sum_grad %{{.*}}, %{{.*}}, %[[L]] : tensor<2x4xbf16>, tensor<1xf32>, tensor<1xf32>
  %d = llm.sum_grad %y, %s, %l : tensor<2x4xbf16>, tensor<1xf32>, tensor<1xf32>
  return
}
