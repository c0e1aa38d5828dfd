// Annotations where none belong, splits that no collective can give.
// RUN: llama-opt %s --shard-partition="sequence-parallel=true" -split-input-file -verify-diagnostics

// expected-error @+1 {{needs exactly one shard.grid, of shape dp x tp}}
module {
}

// -----

shard.grid @grid(shape = 1x2)
func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}) -> (tensor<8x4xf32> {llm.output = "y"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %y = llm.add %x, %x : tensor<8x4xf32>
  %s = shard.sharding @grid split_axes = [[], [1]] : !shard.sharding
  // expected-error @+1 {{is neither on a weight, a parameter nor an input}}
  %z = shard.shard %y to %s : tensor<8x4xf32>
  return %z : tensor<8x4xf32>
}

// -----

shard.grid @grid(shape = 2x1)
func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}) -> (tensor<8x6xf32> {llm.output = "y"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %w = llm.weight "w" : tensor<6x4xf32>
  %s = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  // expected-error @+1 {{must split inputs along dp, weights and parameters along tp}}
  %z = shard.shard %w to %s : tensor<6x4xf32>
  %y = llm.linear %x, %z : (tensor<8x4xf32>, tensor<6x4xf32>) -> tensor<8x6xf32>
  return %y : tensor<8x6xf32>
}

// -----

// The sum over columns is split, its input is not.
shard.grid @grid(shape = 1x2)
func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}) -> (tensor<8x6xf32> {llm.output = "y"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %w = llm.weight "w" : tensor<6x4xf32>
  %s = shard.sharding @grid split_axes = [[], [1]] : !shard.sharding
  %z = shard.shard %w to %s : tensor<6x4xf32>
  // expected-error @+1 {{needs 'tensor<8x4xf32>' to be split along dimension 1 over the 2 devices of axis tp, but it is replicated}}
  %y = llm.linear %x, %z : (tensor<8x4xf32>, tensor<6x4xf32>) -> tensor<8x6xf32>
  return %y : tensor<8x6xf32>
}

// -----

shard.grid @grid(shape = 1x4)
func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}) -> (tensor<8x6xf32> {llm.output = "y"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  // expected-error @+1 {{whose dimension 0 does not fall into 4 equal parts}}
  %w = llm.weight "w" : tensor<6x4xf32>
  %s = shard.sharding @grid split_axes = [[1]] : !shard.sharding
  %z = shard.shard %w to %s : tensor<6x4xf32>
  %y = llm.linear %x, %z : (tensor<8x4xf32>, tensor<6x4xf32>) -> tensor<8x6xf32>
  return %y : tensor<8x6xf32>
}

// -----

shard.grid @grid(shape = 2x1)
func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}) -> (tensor<8x4xf32> {llm.output = "y"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  // expected-error @+1 {{is a collective before the partition}}
  %y = shard.all_reduce %x on @grid grid_axes = [0] : tensor<8x4xf32> -> tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}

// -----

shard.grid @grid(shape = 2x1)
func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}) -> (tensor<8x4xf32> {llm.output = "y"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  // expected-error @+1 {{is the gradient of nothing trainable}}
  llm.gradient "w", %x : tensor<8x4xf32>
  return %x : tensor<8x4xf32>
}

// -----

// Tokens that fall into no equal parts.
shard.grid @grid(shape = 1x4)
// expected-error @+1 {{sequence-parallel splits tokens over axis tp, but 10 tokens have no 4 equal parts; 8 or 12 have}}
func.func @train_10(%x: tensor<10x4xf32> {llm.input = "x"}) -> (tensor<10x4xf32> {llm.output = "y"}) attributes {llm.program = #llm.program<train, tokens = 10, sequences = 2>} {
  return %x : tensor<10x4xf32>
}

// -----

shard.grid @grid(shape = 2x4)
// expected-error @+1 {{but 3 tokens have no 4 equal parts; 4 have}}
func.func @train_3(%x: tensor<3x4xf32> {llm.input = "x"}) -> (tensor<3x4xf32> {llm.output = "y"}) attributes {llm.program = #llm.program<train, tokens = 3, sequences = 2>} {
  return %x : tensor<3x4xf32>
}
