// Every way to have a gradient or an update too many or too few.
// RUN: llama-opt %s --autodiff-verify -split-input-file -verify-diagnostics

// expected-error @+1 {{is no program: it lacks llm.program}}
func.func @f() {
  return
}

// -----

func.func @train_8() attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  // expected-error @+1 {{parameter 'a' has 0 gradients in train_8, not 1}}
  %a = llm.parameter "a" init <zero, 0.0> : tensor<2x4xf32>
  return
}

// -----

func.func @train_8(%g: tensor<2x4xf32>, %hyper: tensor<8xf64>) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  // expected-error @+1 {{parameter 'a' has 2 gradients in train_8, not 1}}
  %a = llm.parameter "a" init <zero, 0.0> : tensor<2x4xf32>
  llm.gradient "a", %g : tensor<2x4xf32>
  llm.gradient "a", %g : tensor<2x4xf32>
  %norm, %lr = llm.optimizer_step ["a"] %hyper : tensor<8xf64> -> tensor<1xf32>, tensor<1xf32>
  return
}

// -----

func.func @train_8(%g: tensor<2x4xf32>) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  // expected-error @+1 {{parameter 'a' has 0 updates in train_8, not 1}}
  %a = llm.parameter "a" init <zero, 0.0> : tensor<2x4xf32>
  llm.gradient "a", %g : tensor<2x4xf32>
  return
}

// -----

func.func @train_8(%g: tensor<2x4xf32>, %hyper: tensor<8xf64>) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  // expected-error @+1 {{parameter 'a' has 2 updates in train_8, not 1}}
  %a = llm.parameter "a" init <zero, 0.0> : tensor<2x4xf32>
  llm.gradient "a", %g : tensor<2x4xf32>
  %norm, %lr = llm.optimizer_step ["a", "a"] %hyper : tensor<8xf64> -> tensor<1xf32>, tensor<1xf32>
  return
}

// -----

func.func @accumulate_8(%g: tensor<2x4xf32>, %hyper: tensor<8xf64>) attributes {llm.program = #llm.program<accumulate, tokens = 8, sequences = 8>} {
  // expected-error @+1 {{parameter 'a' has 1 updates in accumulate_8, not 0}}
  %a = llm.parameter "a" init <zero, 0.0> : tensor<2x4xf32>
  llm.gradient "a", %g : tensor<2x4xf32>
  %norm, %lr = llm.optimizer_step ["a"] %hyper : tensor<8xf64> -> tensor<1xf32>, tensor<1xf32>
  return
}

// -----

func.func @evaluate_8(%g: tensor<2x4xf32>) attributes {llm.program = #llm.program<evaluate, tokens = 8, sequences = 8>} {
  // expected-error @+1 {{parameter 'a' has 1 gradients in evaluate_8, not 0}}
  %a = llm.parameter "a" init <zero, 0.0> : tensor<2x4xf32>
  llm.gradient "a", %g : tensor<2x4xf32>
  return
}

// -----

func.func @train_8() attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<2x4xf32>
  // expected-error @+1 {{'llm.parameter' op names a parameter twice}}
  %b = llm.parameter "a" init <zero, 0.0> : tensor<2x4xf32>
  return
}

// -----

// A frozen weight has no gradient.
func.func @train_8(%g: tensor<2x4xf32>) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %w = llm.weight "w" : tensor<2x4xf32>
  // expected-error @+1 {{'llm.gradient' op is the gradient of nothing trainable}}
  llm.gradient "w", %g : tensor<2x4xf32>
  return
}

// -----

func.func @train_8(%g: tensor<4x2xf32>) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<2x4xf32>
  // expected-error @+1 {{'llm.gradient' op has another type than the parameter: 'tensor<2x4xf32>'}}
  llm.gradient "a", %g : tensor<4x2xf32>
  return
}

// -----

func.func @train_8(%hyper: tensor<8xf64>) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %w = llm.weight "w" : tensor<2x4xf32>
  // expected-error @+1 {{'llm.optimizer_step' op updates 'w', which is not trainable}}
  %norm, %lr = llm.optimizer_step ["w"] %hyper : tensor<8xf64> -> tensor<1xf32>, tensor<1xf32>
  return
}

// -----

// E's gradient is llm.triplet_gradients' to make.
func.func @train_8(%g: tensor<2x4xf32>, %hyper: tensor<8xf64>) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %a = llm.parameter "p.lora_A" init <zero, 0.0> : tensor<2x4xf32>
  // expected-error @+1 {{parameter 'p.lora_E' has 0 gradients in train_8, not 1}}
  %e = llm.parameter "p.lora_E" init <zero, 0.0> : tensor<2x1xf32>
  %ea = llm.scale_rows %a, %e : tensor<2x4xf32>, tensor<2x1xf32>
  llm.gradient "p.lora_A", %g : tensor<2x4xf32>
  %norm, %lr = llm.optimizer_step ["p.lora_A", "p.lora_E"] %hyper : tensor<8xf64> -> tensor<1xf32>, tensor<1xf32>
  return
}

// -----

func.func @train_8(%g: tensor<2x4xf32>) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  // expected-error @+1 {{'llm.triplet_gradients' op module 'q' has no trainable triplets}}
  %penalty = llm.triplet_gradients ["q"] weight 0.5 : tensor<1xf32>
  return
}

// -----

func.func @probe_8(%y: tensor<8x4xf32>, %w: tensor<4x4xf32>) attributes {llm.program = #llm.program<probe, tokens = 8, sequences = 8>} {
  // expected-error @+1 {{'llm.watch' op is still there: the program was not differentiated}}
  %z = llm.watch "q_proj" %y of %y, %w : tensor<8x4xf32>, tensor<8x4xf32>, tensor<4x4xf32>
  return
}
