// Anything that is not one launch.
// RUN: llama-opt %s --fuse-verify -split-input-file -verify-diagnostics

func.func @train_8(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  // expected-error @+1 {{'llm.add' op is not one launch: it does not belong to level fused}}
  %y = llm.add %x, %x : tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}

// -----

func.func @train_8(%x: tensor<8x4xf32>, %w: tensor<4x4xf32>) -> tensor<8x4xf32> {
  // expected-error @+1 {{'llm.linear' op is not one launch: it does not belong to level fused}}
  %y = llm.linear %x, %w : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}

// -----

func.func @train_8(%hyper: tensor<8xf64>) {
  // expected-error @+1 {{'llm.optimizer_step' op is not one launch: it does not belong to level fused}}
  %norm, %lr = llm.optimizer_step ["a"] %hyper : tensor<8xf64> -> tensor<1xf32>, tensor<1xf32>
  return
}

// -----

func.func @train_8(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  // expected-error @+1 {{'arith.negf' op is not one launch: it does not belong to level fused}}
  %y = arith.negf %x : tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}

// -----

// expected-error @+1 {{is no program: its body is not one block}}
func.func private @train_8(tensor<8x4xf32>)
