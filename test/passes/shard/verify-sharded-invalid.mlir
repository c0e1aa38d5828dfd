// No grid, two grids, annotations that are left, collectives among one device.
// RUN: llama-opt %s --shard-verify -split-input-file -verify-diagnostics

// expected-error @+1 {{needs exactly one shard.grid, of shape dp x tp}}
module {
}

// -----

// expected-error @+1 {{needs exactly one shard.grid, of shape dp x tp}}
module {
  shard.grid @grid(shape = 1x1)
  shard.grid @other(shape = 1x1)
}

// -----

shard.grid @grid(shape = 2x1)
func.func @train_8(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  // expected-error @+1 {{is an annotation nobody partitioned}}
  %s = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  %y = shard.shard %x to %s : tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}

// -----

shard.grid @grid(shape = 1x1)
func.func @train_8(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  // expected-error @+1 {{is an annotation nobody partitioned}}
  %s = shard.sharding @grid split_axes = [[0]] : !shard.sharding
  return %x : tensor<8x4xf32>
}

// -----

shard.grid @grid(shape = 1x1)
func.func @train_8(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  // expected-error @+1 {{has no meaning on one device}}
  %y = shard.all_reduce %x on @grid grid_axes = [0] : tensor<8x4xf32> -> tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}

// -----

// A sum that is missing: terms get to a norm.
shard.grid @grid(shape = 1x2)
func.func @train_8(%h: tensor<8x4xf32> {llm.input = "h"}) -> (tensor<8x4xf32> {llm.output = "y"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %a = llm.weight "a" {llm.split_axes = [array<i64: 1>, array<i64>], llm.whole_shape = array<i64: 6, 4>} : tensor<3x4xf32>
  %b = llm.weight "b" {llm.split_axes = [array<i64>, array<i64: 1>], llm.whole_shape = array<i64: 4, 6>} : tensor<4x3xf32>
  %n = llm.weight "n" : tensor<4xf32>
  %x = llm.linear %h, %a : (tensor<8x4xf32>, tensor<3x4xf32>) -> tensor<8x3xf32>
  %t = llm.linear %x, %b : (tensor<8x3xf32>, tensor<4x3xf32>) -> tensor<8x4xf32>
  // expected-error @+1 {{over axis tp gets a term of a sum as operand 0, needs it replicated}}
  %y = llm.rms_norm %t, %n eps 1.0e-05 : tensor<8x4xf32>, tensor<4xf32>
  return %y : tensor<8x4xf32>
}

// -----

// A sum taken twice.
shard.grid @grid(shape = 1x2)
func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}) -> (tensor<8x4xf32> {llm.output = "y"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  // expected-error @+1 {{over axis tp gets replicated, which is no term: the sum would count it several times}}
  %y = shard.all_reduce %x on @grid grid_axes = [1] : tensor<8x4xf32> -> tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}

// -----

// The gradient of a replicated factor is never summed.
shard.grid @grid(shape = 2x1)
func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %g = llm.matmul %x, %x transpose_a : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<4x4xf32>
  // expected-error @+1 {{stores a term of a sum over axis dp that no llm.reduce_gradients sums}}
  llm.gradient "a", %g : tensor<4x4xf32>
  return
}

// -----

// The gradient of a replicated factor is summed twice.
shard.grid @grid(shape = 2x1)
func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %g = llm.matmul %x, %x transpose_a : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<4x4xf32>
  llm.gradient "a", %g : tensor<4x4xf32>
  llm.reduce_gradients ["a"] on @grid axes [0]
  // expected-error @+1 {{sums the gradient of 'a' over axis dp, which is no stored term}}
  llm.reduce_gradients ["a"] on @grid axes [0]
  return
}

// -----

// Every tp device has the whole gradient: their sum would be tp times it.
shard.grid @grid(shape = 1x2)
func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %g = llm.matmul %x, %x transpose_a : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<4x4xf32>
  llm.gradient "a", %g : tensor<4x4xf32>
  // expected-error @+1 {{sums the gradient of 'a' over axis tp, which is no stored term}}
  llm.reduce_gradients ["a"] on @grid axes [1]
  return
}

// -----

// A loss that is the rank's own.
shard.grid @grid(shape = 2x1)
func.func @train_8(%z: tensor<8x2xf32> {llm.input = "z"}, %l: tensor<8xi32> {llm.input = "labels"}, %s: tensor<1xf32> {llm.input = "loss_scale"}) -> (tensor<1xf32> {llm.output = "loss"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %loss = llm.cross_entropy %z, %l, %s : tensor<8x2xf32>, tensor<8xi32>, tensor<1xf32> -> tensor<1xf32>
  // expected-error @+1 {{over axis dp gets a term of a sum as result 0, must be whole}}
  return %loss : tensor<1xf32>
}

// -----

// Ranks that run different programs in one step would wait for each other.
shard.grid @grid(shape = 2x1)
func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %g = llm.matmul %x, %x transpose_a : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<4x4xf32>
  llm.gradient "a", %g : tensor<4x4xf32>
  llm.reduce_gradients ["a"] on @grid axes [0]
  return
}
// expected-error @+1 {{exchanges other things along axis dp than train_8 does}}
func.func @train_16(%x: tensor<16x4xf32> {llm.input = "x"}) attributes {llm.program = #llm.program<train, tokens = 16, sequences = 8>} {
  return
}

// -----

shard.grid @grid(shape = 2x1)
func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  // expected-error @+1 {{is no collective that a plan knows}}
  %y = shard.all_slice %x on @grid grid_axes = [0] slice_axis = 0 : tensor<8x4xf32> -> tensor<4x4xf32>
  return
}

// -----

// The regulariser's gradients come to sums, not to terms.
shard.grid @grid(shape = 2x1)
func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %g = llm.matmul %x, %x transpose_a : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<4x4xf32>
  llm.gradient "p.lora_A", %g : tensor<4x4xf32>
  // expected-error @+1 {{'llm.triplet_gradients' op uses the gradient of 'p.lora_A', which is a term of a sum over axis dp here}}
  %penalty = llm.triplet_gradients ["p"] weight 0.5 : tensor<1xf32>
  llm.reduce_gradients ["p.lora_A"] on @grid axes [0]
  return
}

// -----

// A reduce-scatter of what every device has: tp times the part.
shard.grid @grid(shape = 1x2)
func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}) -> (tensor<8x4xf32> {llm.output = "y"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  // expected-error @+1 {{over axis tp gets replicated, which is no term: the sum would count it several times}}
  %p = shard.reduce_scatter %x on @grid grid_axes = [1] scatter_axis = 0 : tensor<8x4xf32> -> tensor<4x4xf32>
  %y = shard.all_gather %p on @grid grid_axes = [1] gather_axis = 0 : tensor<4x4xf32> -> tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}

// -----

// Own tokens where a layer needs all: the gather is missing.
shard.grid @grid(shape = 1x2)
func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}, %place: tensor<2xi32> {llm.input = "grid_index"}) -> (tensor<8x4xf32> {llm.output = "y"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %a = llm.weight "a" {llm.split_axes = [array<i64: 1>, array<i64>], llm.whole_shape = array<i64: 6, 4>} : tensor<3x4xf32>
  %f = llm.first_row %place axis 1 rows 4 : tensor<2xi32> -> tensor<1xi64>
  %h = llm.local_rows %x, %f : (tensor<8x4xf32>, tensor<1xi64>) -> tensor<4x4xf32>
  // expected-error @+1 {{over axis tp gets split along dimension 0 as operand 0, needs it replicated}}
  %y = llm.linear %h, %a : (tensor<4x4xf32>, tensor<3x4xf32>) -> tensor<4x3xf32>
  return %x : tensor<8x4xf32>
}

// -----

// The gradient of a factor from own tokens is a term: its sum is missing.
shard.grid @grid(shape = 1x2)
func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}, %place: tensor<2xi32> {llm.input = "grid_index"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %f = llm.first_row %place axis 1 rows 4 : tensor<2xi32> -> tensor<1xi64>
  %h = llm.local_rows %x, %f : (tensor<8x4xf32>, tensor<1xi64>) -> tensor<4x4xf32>
  %g = llm.matmul %h, %h transpose_a : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  // expected-error @+1 {{stores a term of a sum over axis tp that no llm.reduce_gradients sums}}
  llm.gradient "a", %g : tensor<4x4xf32>
  return
}

// -----

// Dropout of own tokens draws what the first rank's tokens would.
shard.grid @grid(shape = 1x2)
func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}, %r: tensor<2xi64> {llm.input = "random"}, %place: tensor<2xi32> {llm.input = "grid_index"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %f = llm.first_row %place axis 1 rows 4 : tensor<2xi32> -> tensor<1xi64>
  %h = llm.local_rows %x, %f : (tensor<8x4xf32>, tensor<1xi64>) -> tensor<4x4xf32>
  // expected-error @+1 {{over axis tp gets split along dimension 0, whose elements it does not number as in the whole}}
  %d = llm.dropout %h, %r key "k" p 1.0e-01 : tensor<4x4xf32>, tensor<2xi64>
  return
}

// -----

// Parts that are left as a result.
shard.grid @grid(shape = 1x2)
func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}, %place: tensor<2xi32> {llm.input = "grid_index"}) -> (tensor<4x4xf32> {llm.output = "y"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %f = llm.first_row %place axis 1 rows 4 : tensor<2xi32> -> tensor<1xi64>
  %h = llm.local_rows %x, %f : (tensor<8x4xf32>, tensor<1xi64>) -> tensor<4x4xf32>
  // expected-error @+1 {{over axis tp gets split along dimension 0 as result 0, must be whole}}
  return %h : tensor<4x4xf32>
}

// -----

// A program without an update leaves whole gradients, too.
shard.grid @grid(shape = 2x1)
func.func @own(%x: tensor<8x4xf32> {llm.input = "x"}) attributes {llm.program = #llm.program<gradient, tokens = 8, sequences = 8>} {
  %g = llm.matmul %x, %x transpose_a : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<4x4xf32>
  // expected-error @+1 {{stores a term of a sum over axis dp that no llm.reduce_gradients sums}}
  llm.gradient "a", %g : tensor<4x4xf32>
  return
}
