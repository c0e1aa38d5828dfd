// What has no gradient, and programs that cannot be trained.
// RUN: llama-opt %s --autodiff-differentiate -split-input-file -verify-diagnostics

// expected-error @+1 {{a training program returns "loss"}}
func.func @train_8(%x: tensor<1xf32>) -> (tensor<1xf32> {llm.output = "logits"})
    attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  return %x : tensor<1xf32>
}

// -----

// expected-error @+1 {{the loss depends on no parameter: nothing to train}}
func.func @train_8(%x: tensor<8x4xf32>, %labels: tensor<8xi32>, %scale: tensor<1xf32>) -> (tensor<1xf32> {llm.output = "loss"})
    attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<4x4xf32>
  %w = llm.weight "w" : tensor<4x4xf32>
  %z = llm.linear %x, %w : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %loss = llm.cross_entropy %z, %labels, %scale : tensor<8x4xf32>, tensor<8xi32>, tensor<1xf32> -> tensor<1xf32>
  return %loss : tensor<1xf32>
}

// -----

// expected-error @+1 {{the loss must be tensor<1xf32>, not 'tensor<8x4xf32>'}}
func.func @train_8(%x: tensor<8x4xf32>) -> (tensor<8x4xf32> {llm.output = "loss"})
    attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<4x4xf32>
  %z = llm.linear %x, %a : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  return %z : tensor<8x4xf32>
}

// -----

// expected-error @+1 {{the loss must be tensor<1xf32>, not 'tensor<1xf64>'}}
func.func @train_8(%x: tensor<8x4xf32>, %labels: tensor<8xi32>, %scale: tensor<1xf32>) -> (tensor<1xf64> {llm.output = "loss"})
    attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<4x4xf32>
  %z = llm.linear %x, %a : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %loss = llm.cross_entropy %z, %labels, %scale : tensor<8x4xf32>, tensor<8xi32>, tensor<1xf32> -> tensor<1xf32>
  %wide = arith.extf %loss : tensor<1xf32> to tensor<1xf64>
  return %wide : tensor<1xf64>
}

// -----

func.func @train_8(%x: tensor<8x4xf32>, %labels: tensor<8xi32>, %scale: tensor<1xf32>) -> (tensor<1xf32> {llm.output = "loss"})
    attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<4x4xf32>
  %z = llm.linear %x, %a : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  // expected-error @+1 {{'arith.negf' op has no gradient rule, but a parameter needs one}}
  %minus = arith.negf %z : tensor<8x4xf32>
  %loss = llm.cross_entropy %minus, %labels, %scale : tensor<8x4xf32>, tensor<8xi32>, tensor<1xf32> -> tensor<1xf32>
  return %loss : tensor<1xf32>
}

// -----

// A table that trains.
func.func @train_8(%ids: tensor<8xi32>, %labels: tensor<8xi32>, %scale: tensor<1xf32>) -> (tensor<1xf32> {llm.output = "loss"})
    attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %table = llm.parameter "embed" init <zero, 0.0> : tensor<16x4xf32>
  // expected-error @+1 {{'llm.embedding' op has no gradient for operand 1: only adapters and the task head train}}
  %x = llm.embedding %ids, %table : (tensor<8xi32>, tensor<16x4xf32>) -> tensor<8x4xf32>
  %loss = llm.cross_entropy %x, %labels, %scale : tensor<8x4xf32>, tensor<8xi32>, tensor<1xf32> -> tensor<1xf32>
  return %loss : tensor<1xf32>
}

// -----

// A norm's weight that trains.
func.func @train_8(%x: tensor<8x4xf32>, %labels: tensor<8xi32>, %scale: tensor<1xf32>) -> (tensor<1xf32> {llm.output = "loss"})
    attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %w = llm.parameter "norm" init <zero, 0.0> : tensor<4xf32>
  // expected-error @+1 {{'llm.rms_norm' op has no gradient for operand 1: only adapters and the task head train}}
  %y = llm.rms_norm %x, %w eps 1.0e-05 : tensor<8x4xf32>, tensor<4xf32>
  %loss = llm.cross_entropy %y, %labels, %scale : tensor<8x4xf32>, tensor<8xi32>, tensor<1xf32> -> tensor<1xf32>
  return %loss : tensor<1xf32>
}

// -----

// An input that the loss does not depend on has no gradient to return.
// expected-error @+1 {{the loss does not depend on the input whose gradient is asked for as "dz"}}
func.func @own(%x: tensor<8x4xf32>, %z: tensor<8x4xf32> {llm.gradient = "dz"}, %scale: tensor<1xf32>) -> (tensor<1xf32> {llm.output = "loss"})
    attributes {llm.program = #llm.program<gradient, tokens = 8, sequences = 8>} {
  %w = llm.parameter "w" init <zero, 0.0> : tensor<6x4xf32>
  %y = llm.linear %x, %w : (tensor<8x4xf32>, tensor<6x4xf32>) -> tensor<8x6xf32>
  %loss = llm.sum %y, %scale : tensor<8x6xf32>, tensor<1xf32> -> tensor<1xf32>
  return %loss : tensor<1xf32>
}
