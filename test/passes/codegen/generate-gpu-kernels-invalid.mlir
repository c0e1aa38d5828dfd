// RUN: llama-opt %s --codegen-generate-gpu-kernels=format=ptx --split-input-file --verify-diagnostics

plan.kernel @sine "sine" {
^bb0(%a: tensor<4x20xf32>):
  %y = llm.rowwise rows(4) cols(20) ins(%a : tensor<4x20xf32>)
      maps [affine_map<(r, c) -> (r, c)>] indexed_by [-1]
      outs [0] at [affine_map<(r, c) -> (r, c)>] -> (tensor<4x20xf32>) {
  ^bb0(%x: f32):
    // expected-error @below {{'math.sin' op has no form in a GPU kernel}}
    %d = math.sin %x : f32
    llm.yield %d : f32
  }
}

// -----

plan.kernel @half "f16" {
^bb0(%a: tensor<4x20xf16>):
  // expected-error @below {{input 0: GPU kernels take f32, f64, bf16, i32 and i64, not 'f16'}}
  %y = llm.rowwise rows(4) cols(20) ins(%a : tensor<4x20xf16>)
      maps [affine_map<(r, c) -> (r, c)>] indexed_by [-1]
      outs [0] at [affine_map<(r, c) -> (r, c)>] -> (tensor<4x20xf16>) {
  ^bb0(%x: f16):
    llm.yield %x : f16
  }
}

// -----

// Sums of rounded numbers would depend on the order: bodies widen first.
plan.kernel @narrow "bf16 arithmetic" {
^bb0(%a: tensor<4x32xbf16>):
  %y = llm.rowwise rows(4) cols(32) ins(%a : tensor<4x32xbf16>)
      maps [affine_map<(r, c) -> (r, c)>] indexed_by [-1]
      outs [0] at [affine_map<(r, c) -> (r, c)>] -> (tensor<4x32xbf16>) {
  ^bb0(%x: bf16):
    // expected-error @below {{has type 'bf16': GPU kernels compute in f32 and f64}}
    %d = arith.addf %x, %x : bf16
    llm.yield %d : bf16
  }
}

// -----

plan.kernel @endless "too many rows" {
^bb0(%a: tensor<2000000000x14336xbf16>):
  %y = llm.rowwise rows(2000000000) cols(14336) ins(%a : tensor<2000000000x14336xbf16>)
      maps [affine_map<(r, c) -> (r, c)>] indexed_by [-1]
      outs [0] at [affine_map<(r, c) -> (r, c)>] -> (tensor<2000000000x14336xbf16>) {
  ^bb0(%x: bf16):
    llm.yield %x : bf16
  }
}
plan.allocation @activations category(activations) bytes(120000000000000)
plan.program @evaluate_4 kind(evaluate) tokens(4) sequences(1) {
  %a = plan.buffer in @activations at 0 : tensor<2000000000x14336xbf16>
  %y = plan.buffer in @activations at 60000000000000 : tensor<2000000000x14336xbf16>
  // expected-error @below {{has 2000000000 rows of 14336 columns: row kernels for GPUs count parts of rows in 31 bits}}
  plan.launch @endless reads(%a) writes(%y) grid [2000000000, 1, 1] : (tensor<2000000000x14336xbf16>) -> tensor<2000000000x14336xbf16>
}

// -----

plan.kernel @repeat "repeat" {
^bb0(%a: tensor<4x8xf32>):
  // expected-error @below {{input 0: GPU kernels cannot follow}}
  %y = llm.rowwise rows(4) cols(16) ins(%a : tensor<4x8xf32>)
      maps [affine_map<(r, c) -> (r, c mod 8)>] indexed_by [-1]
      outs [0] at [affine_map<(r, c) -> (r, c)>] -> (tensor<4x16xf32>) {
  ^bb0(%x: f32):
    llm.yield %x : f32
  }
}

// -----

plan.kernel @product "matmul" {
^bb0(%a: tensor<8x32xf32>, %b: tensor<32x64xf32>):
  // expected-error @below {{'llm.matmul' op has no GPU kernel}}
  %d = llm.matmul %a, %b : (tensor<8x32xf32>, tensor<32x64xf32>) -> tensor<8x64xf32>
}
