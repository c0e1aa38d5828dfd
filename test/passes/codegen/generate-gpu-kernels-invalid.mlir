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

plan.kernel @narrow "bf16" {
^bb0(%a: tensor<4x20xbf16>):
  // expected-error @below {{input 0: GPU kernels take f32, f64, i32 and i64, not 'bf16'}}
  %y = llm.rowwise rows(4) cols(20) ins(%a : tensor<4x20xbf16>)
      maps [affine_map<(r, c) -> (r, c)>] indexed_by [-1]
      outs [0] at [affine_map<(r, c) -> (r, c)>] -> (tensor<4x20xbf16>) {
  ^bb0(%x: bf16):
    llm.yield %x : bf16
  }
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
