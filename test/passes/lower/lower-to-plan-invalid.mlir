// Programs that are none, and names that mean two things.
// RUN: llama-opt %s --lower-to-plan -split-input-file -verify-diagnostics

// expected-error @+1 {{is no program: it lacks llm.program}}
func.func @f() {
  return
}

// -----

// expected-error @+1 {{argument 1 lacks llm.input}}
func.func @evaluate_8(%x: tensor<8x4xf32> {llm.input = "x"}, %y: tensor<8x4xf32>) attributes {llm.program = #llm.program<evaluate, tokens = 8, sequences = 2>} {
  return
}

// -----

// expected-error @+1 {{result 0 lacks llm.output}}
func.func @evaluate_8(%x: tensor<8x4xf32> {llm.input = "x"}) -> tensor<8x4xf32> attributes {llm.program = #llm.program<evaluate, tokens = 8, sequences = 2>} {
  return %x : tensor<8x4xf32>
}

// -----

func.func @evaluate_8() attributes {llm.program = #llm.program<evaluate, tokens = 8, sequences = 2>} {
  %w = llm.weight "w" : tensor<4x4xf32>
  return
}
func.func @evaluate_16() attributes {llm.program = #llm.program<evaluate, tokens = 16, sequences = 2>} {
  // expected-error @+1 {{'w' is 'tensor<4x6xf32>' here and 'tensor<4x4xf32>' elsewhere}}
  %w = llm.weight "w" : tensor<4x6xf32>
  return
}

// -----

func.func @evaluate_8() attributes {llm.program = #llm.program<evaluate, tokens = 8, sequences = 2>} {
  %w = llm.parameter "a" init <zero, 0.0> : tensor<4x4xf32>
  return
}
func.func @evaluate_16() attributes {llm.program = #llm.program<evaluate, tokens = 16, sequences = 2>} {
  // expected-error @+1 {{'a' has another type elsewhere}}
  %w = llm.parameter "a" init <zero, 0.0> : tensor<4x6xf32>
  return
}

// -----

func.func @train_8(%g: tensor<4x4xf32> {llm.input = "g"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
  // expected-error @+1 {{'a' is no parameter of type 'tensor<4x4xf32>'}}
  llm.gradient "a", %g : tensor<4x4xf32>
  return
}

// -----

func.func @train_8() attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<2x4xf32>
  // expected-error @+1 {{'a' is no parameter of type 'tensor<4x4xf32>'}}
  %g = llm.pending_gradient "a" : tensor<4x4xf32>
  return
}
