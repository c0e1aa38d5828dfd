// Whatever is not a static forward program is told, all of it at once.
// RUN: llama-opt %s --graph-verify -split-input-file -verify-diagnostics

// expected-error @+1 {{is no program: it lacks llm.program}}
func.func @hidden(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  return %x : tensor<8x4xf32>
}

// -----

// expected-error @+1 {{is no program: its body is not one block}}
func.func private @train_8(tensor<8x4xf32>) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>}

// -----

// expected-error @+1 {{takes 'i32', not a tensor of static shape}}
func.func @train_8(%n: i32) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
  return
}

// -----

// expected-error @+1 {{takes 'tensor<?x4xf32>', not a tensor of static shape}}
func.func @train_8(%x: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
  // expected-error @+1 {{'llm.add' op has a shape that is not static: 'tensor<?x4xf32>'}}
  %y = llm.add %x, %x : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

func.func @train_8(%x: tensor<8x4xf32>, %hyper: tensor<8xf64>) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
  // expected-error @+1 {{'llm.gradient' op does not belong to level graph}}
  llm.gradient "w", %x : tensor<8x4xf32>
  // expected-error @+1 {{'llm.optimizer_step' op does not belong to level graph}}
  %n, %lr = llm.optimizer_step ["w"] %hyper : tensor<8xf64> -> tensor<1xf32>, tensor<1xf32>
  // expected-error @+1 {{'llm.matmul' op does not belong to level graph}}
  %y = llm.matmul %x, %x transpose_b : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x8xf32>
  return
}

// -----

func.func @train_8(%x: tensor<8x4xf32>) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
  // expected-error @+1 {{'llm.layers' op does not belong to level graph}}
  %h = llm.layers count(2) carry(%x) : (tensor<8x4xf32>) {
  ^bb0(%a: tensor<8x4xf32>):
    // expected-error @+1 {{'llm.yield' op does not belong to level graph}}
    llm.yield %a : tensor<8x4xf32>
  }
  return
}

// -----

// expected-error @+1 {{has two inputs "x"}}
func.func @own(%x: tensor<8x4xf32> {llm.input = "x"}, %y: tensor<8x4xf32> {llm.input = "x"}) attributes {llm.program = #llm.program<gradient, tokens = 8, sequences = 2>} {
  return
}

// -----

// expected-error @+1 {{has two outputs "loss"}}
func.func @own(%x: tensor<1xf32> {llm.input = "x", llm.gradient = "loss"}) -> (tensor<1xf32> {llm.output = "loss"}) attributes {llm.program = #llm.program<gradient, tokens = 8, sequences = 2>} {
  return %x : tensor<1xf32>
}

// -----

// expected-error @+1 {{is no program of kind gradient, but is to return the gradient "dx"}}
func.func @own(%x: tensor<1xf32> {llm.input = "x", llm.gradient = "dx"}) -> (tensor<1xf32> {llm.output = "loss"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
  return %x : tensor<1xf32>
}

// -----

// expected-error @+1 {{is a program of 0 tokens and 2 sequences}}
func.func @own(%x: tensor<8x4xf32>) attributes {llm.program = #llm.program<gradient, tokens = 0, sequences = 2>} {
  return
}
