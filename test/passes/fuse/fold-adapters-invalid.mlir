// The pass folds or leaves alone; it cannot fail. What does not fit together is told
// by the verifier before it, and what programs disagree about by the lowering after.
// RUN: llama-opt %s --fuse-fold-adapters --lower-to-plan -split-input-file -verify-diagnostics

func.func @evaluate_8(%x: tensor<8x64xf32>) -> tensor<8x32xf32> attributes {llm.program = #llm.program<evaluate, tokens = 8, sequences = 2>} {
  %w = llm.weight "w" : tensor<32x48xf32>
  // expected-error @+1 {{'llm.matmul' op inner sizes differ: a has 64 and b has 48}}
  %y = llm.matmul %x, %w transpose_b : (tensor<8x64xf32>, tensor<32x48xf32>) -> tensor<8x32xf32>
  return %y : tensor<8x32xf32>
}

// -----

// The first program reads the table row by row, the second only multiplies by it.
func.func @evaluate_8(%ids: tensor<8xi32> {llm.input = "input_ids"}) -> (tensor<8x64xf32> {llm.output = "x"})
    attributes {llm.program = #llm.program<evaluate, tokens = 8, sequences = 2>} {
  %w = llm.weight "table" : tensor<16x64xf32>
  %x = llm.embedding %ids, %w : (tensor<8xi32>, tensor<16x64xf32>) -> tensor<8x64xf32>
  return %x : tensor<8x64xf32>
}
func.func @evaluate_16(%x: tensor<16x64xf32> {llm.input = "h"}) -> (tensor<16x16xf32> {llm.output = "y"}, tensor<16x16xf32> {llm.output = "z"})
    attributes {llm.program = #llm.program<evaluate, tokens = 16, sequences = 2>} {
  %v = llm.weight "v" : tensor<16x64xf32>
  %w = llm.weight "table" : tensor<16x64xf32>
  // expected-error @+1 {{'table' is folded here but not elsewhere}}
  %y = llm.matmul %x, %v transpose_b : (tensor<16x64xf32>, tensor<16x64xf32>) -> tensor<16x16xf32>
  %z = llm.matmul %x, %w transpose_b : (tensor<16x64xf32>, tensor<16x64xf32>) -> tensor<16x16xf32>
  return %y, %z : tensor<16x16xf32>, tensor<16x16xf32>
}

// -----

// The other way round.
func.func @evaluate_16(%x: tensor<16x64xf32> {llm.input = "h"}) -> (tensor<16x16xf32> {llm.output = "y"}, tensor<16x16xf32> {llm.output = "z"})
    attributes {llm.program = #llm.program<evaluate, tokens = 16, sequences = 2>} {
  %v = llm.weight "v" : tensor<16x64xf32>
  %w = llm.weight "table" : tensor<16x64xf32>
  %y = llm.matmul %x, %v transpose_b : (tensor<16x64xf32>, tensor<16x64xf32>) -> tensor<16x16xf32>
  %z = llm.matmul %x, %w transpose_b : (tensor<16x64xf32>, tensor<16x64xf32>) -> tensor<16x16xf32>
  return %y, %z : tensor<16x16xf32>, tensor<16x16xf32>
}
func.func @evaluate_8(%x: tensor<8x64xf32> {llm.input = "h"}) -> (tensor<8x16xf32> {llm.output = "y"})
    attributes {llm.program = #llm.program<evaluate, tokens = 8, sequences = 2>} {
  // expected-error @+1 {{'table' is folded elsewhere but not here}}
  %w = llm.weight "table" : tensor<16x64xf32>
  %y = llm.matmul %x, %w transpose_b : (tensor<8x64xf32>, tensor<16x64xf32>) -> tensor<8x16xf32>
  return %y : tensor<8x16xf32>
}

// -----

// The second program multiplies the same input by one weight more.
func.func @evaluate_8(%x: tensor<8x64xf32> {llm.input = "h"}) -> (tensor<8x16xf32> {llm.output = "y"}, tensor<8x16xf32> {llm.output = "z"})
    attributes {llm.program = #llm.program<evaluate, tokens = 8, sequences = 2>} {
  %v = llm.weight "v" : tensor<16x64xf32>
  %w = llm.weight "w" : tensor<16x64xf32>
  %y = llm.matmul %x, %v transpose_b : (tensor<8x64xf32>, tensor<16x64xf32>) -> tensor<8x16xf32>
  %z = llm.matmul %x, %w transpose_b : (tensor<8x64xf32>, tensor<16x64xf32>) -> tensor<8x16xf32>
  return %y, %z : tensor<8x16xf32>, tensor<8x16xf32>
}
func.func @evaluate_16(%x: tensor<16x64xf32> {llm.input = "h"}) -> (tensor<16x16xf32> {llm.output = "y"}, tensor<16x16xf32> {llm.output = "z"}, tensor<16x16xf32> {llm.output = "r"})
    attributes {llm.program = #llm.program<evaluate, tokens = 16, sequences = 2>} {
  %v = llm.weight "v" : tensor<16x64xf32>
  %w = llm.weight "w" : tensor<16x64xf32>
  %u = llm.weight "u" : tensor<16x64xf32>
  // expected-error @+1 {{'v' is folded in another way here}}
  %y = llm.matmul %x, %v transpose_b : (tensor<16x64xf32>, tensor<16x64xf32>) -> tensor<16x16xf32>
  %z = llm.matmul %x, %w transpose_b : (tensor<16x64xf32>, tensor<16x64xf32>) -> tensor<16x16xf32>
  %r = llm.matmul %x, %u transpose_b : (tensor<16x64xf32>, tensor<16x64xf32>) -> tensor<16x16xf32>
  return %y, %z, %r : tensor<16x16xf32>, tensor<16x16xf32>, tensor<16x16xf32>
}
