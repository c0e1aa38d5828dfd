// Modules that lack a factor, whose factors do not fit, or that have parts
// without a grid.
// RUN: llama-opt %s --fuse-lower-triplets -split-input-file -verify-diagnostics

func.func @f() -> tensor<1xf32> {
  %a = llm.parameter "p.lora_A" init <normal, 0.02> : tensor<3x4xf32>
  // expected-error @+1 {{'llm.orthogonality' op needs the parameter 'p.lora_E'}}
  %penalty = llm.orthogonality ["p"] weight 0.5 : tensor<1xf32>
  return %penalty : tensor<1xf32>
}

// -----

func.func @f() -> tensor<1xf32> {
  %a = llm.parameter "p.lora_A" init <normal, 0.02> : tensor<3x4xf32>
  %e = llm.parameter "p.lora_E" init <zero, 0.0> : tensor<3x1xf32>
  %b = llm.parameter "p.lora_B" init <normal, 0.02> : tensor<6x2xf32>
  // expected-error @+1 {{'llm.orthogonality' op module 'p' has factors 'tensor<3x4xf32>', 'tensor<3x1xf32>' and 'tensor<6x2xf32>'; all modules need whole triplets of one rank}}
  %penalty = llm.orthogonality ["p"] weight 0.5 : tensor<1xf32>
  return %penalty : tensor<1xf32>
}

// -----

func.func @f() -> tensor<1xf32> {
  %a = llm.parameter "p.lora_A" init <normal, 0.02> : tensor<3x4xf32>
  %e = llm.parameter "p.lora_E" init <zero, 0.0> : tensor<3x1xf32>
  %b = llm.parameter "p.lora_B" init <normal, 0.02> {llm.whole_shape = array<i64: 12, 3>, llm.split_axes = [array<i64: 1>, array<i64>]} : tensor<6x3xf32>
  // expected-error @+1 {{'llm.orthogonality' op has factors that are parts, but no grid}}
  %penalty = llm.orthogonality ["p"] weight 0.5 : tensor<1xf32>
  return %penalty : tensor<1xf32>
}
