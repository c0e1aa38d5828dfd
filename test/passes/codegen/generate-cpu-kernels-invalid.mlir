// RUN: llama-opt %s --codegen-generate-cpu-kernels --split-input-file --verify-diagnostics

plan.kernel @sine "sine" {
^bb0(%a: tensor<4x20xf32>):
  %y = llm.rowwise rows(4) cols(20) ins(%a : tensor<4x20xf32>)
      maps [affine_map<(r, c) -> (r, c)>] indexed_by [-1]
      outs [0] at [affine_map<(r, c) -> (r, c)>] -> (tensor<4x20xf32>) {
  ^bb0(%x: f32):
    // expected-error @below {{'math.sin' op has no form in a CPU kernel}}
    %d = math.sin %x : f32
    llm.yield %d : f32
  }
}

// -----

plan.kernel @narrow "bf16" {
^bb0(%a: tensor<4x20xbf16>):
  // expected-error @below {{input 0: CPU kernels take f32, f64, i32 and i64, not 'bf16'}}
  %y = llm.rowwise rows(4) cols(20) ins(%a : tensor<4x20xbf16>)
      maps [affine_map<(r, c) -> (r, c)>] indexed_by [-1]
      outs [0] at [affine_map<(r, c) -> (r, c)>] -> (tensor<4x20xbf16>) {
  ^bb0(%x: bf16):
    llm.yield %x : bf16
  }
}

// -----

plan.kernel @transpose "transpose" {
^bb0(%a: tensor<20x4xf32>):
  // expected-error @below {{input 0: columns must be contiguous}}
  %y = llm.rowwise rows(4) cols(20) ins(%a : tensor<20x4xf32>)
      maps [affine_map<(r, c) -> (c, r)>] indexed_by [-1]
      outs [0] at [affine_map<(r, c) -> (r, c)>] -> (tensor<4x20xf32>) {
  ^bb0(%x: f32):
    llm.yield %x : f32
  }
}

// -----

plan.kernel @repeat "repeat" {
^bb0(%a: tensor<4x8xf32>):
  // expected-error @below {{input 0: CPU kernels cannot follow}}
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
  // expected-error @below {{'llm.matmul' op has no CPU kernel}}
  %d = llm.matmul %a, %b : (tensor<8x32xf32>, tensor<32x64xf32>) -> tensor<8x64xf32>
}

// -----

plan.kernel @fold "fold_into" {
^bb0(%params: tensor<2x1024xf32>, %segments: tensor<4x6xi64>):
  // expected-error @below {{'llm.fold_into' op CPU kernels compute in f32}}
  %w = llm.fold_into %params, %segments : (tensor<2x1024xf32>, tensor<4x6xi64>) -> tensor<8192xbf16>
}
