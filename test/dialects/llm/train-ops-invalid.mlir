// What the verifiers of losses, gradients, matrix product and optimizer refuse, and how they say it.
// RUN: llama-opt %s -split-input-file -verify-diagnostics

func.func @f(%x: tensor<8x64xf32>, %w: tensor<32xf32>) {
  // expected-error @+1 {{'llm.rms_norm_grad' op x has 64 columns but weight has 32 elements}}
  %n = llm.rms_norm_grad %x, %w, %x eps 1.0e-05 : tensor<8x64xf32>, tensor<32xf32>
  return
}

// -----

func.func @f(%q: tensor<8x64xf32>, %k: tensor<8x16xf32>, %cu: tensor<3xi32>, %lse: tensor<8x4xf32>) {
  // expected-error @+1 {{'llm.attention_grad' op k has 16 columns but 2 kv_heads of 16 have 32}}
  %dq, %dk, %dv = llm.attention_grad %q, %k, %k, %cu, %q, %lse, %q heads(4) kv_heads(2) scale 0.25
      : (tensor<8x64xf32>, tensor<8x16xf32>, tensor<8x16xf32>, tensor<3xi32>, tensor<8x64xf32>, tensor<8x4xf32>,
         tensor<8x64xf32>) -> (tensor<8x64xf32>, tensor<8x16xf32>, tensor<8x16xf32>)
  return
}

// -----

func.func @f(%x: tensor<2x64xf32>, %i: tensor<8xi32>) {
  // expected-error @+1 {{'llm.scatter_rows' op dy has 64 columns but the result has 32}}
  %p = llm.scatter_rows %x, %i : (tensor<2x64xf32>, tensor<8xi32>) -> tensor<8x32xf32>
  return
}

// -----

func.func @f(%x: tensor<2x64xf32>, %i: tensor<8xi32>) {
  // expected-error @+1 {{'llm.scatter_rows' op inverse has 8 rows but result has 6}}
  %p = llm.scatter_rows %x, %i : (tensor<2x64xf32>, tensor<8xi32>) -> tensor<6x64xf32>
  return
}

// -----

func.func @f(%x: tensor<2x64xf32>, %i: tensor<8xi32>) {
  // expected-error @+1 {{'llm.scatter_rows' op dy is of 'f32' but result of 'bf16'}}
  %p = llm.scatter_rows %x, %i : (tensor<2x64xf32>, tensor<8xi32>) -> tensor<8x64xbf16>
  return
}

// -----

func.func @f(%z: tensor<2x3xf32>, %l: tensor<3xi32>, %s: tensor<1xf32>) {
  // expected-error @+1 {{'llm.cross_entropy' op logits has 2 rows but labels has 3}}
  %o = llm.cross_entropy %z, %l, %s : tensor<2x3xf32>, tensor<3xi32>, tensor<1xf32> -> tensor<1xf32>
  return
}

// -----

func.func @f(%z: tensor<2x3xf32>, %l: tensor<2xi32>, %s: tensor<2xf32>) {
  // expected-error @+1 {{'llm.cross_entropy' op scale is 'tensor<2xf32>', must have one element}}
  %o = llm.cross_entropy %z, %l, %s : tensor<2x3xf32>, tensor<2xi32>, tensor<2xf32> -> tensor<1xf32>
  return
}

// -----

func.func @f(%z: tensor<2x3xf32>, %l: tensor<2xi32>, %s: tensor<1xf32>) {
  // expected-error @+1 {{'llm.cross_entropy' op loss is 'tensor<2xf32>', must have one element}}
  %o = llm.cross_entropy %z, %l, %s : tensor<2x3xf32>, tensor<2xi32>, tensor<1xf32> -> tensor<2xf32>
  return
}

// -----

func.func @f(%z: tensor<2x?xf32>, %l: tensor<2xi32>, %s: tensor<1xf32>) {
  // expected-error @+1 {{'llm.cross_entropy' op logits is 'tensor<2x?xf32>': only the token dimension may be dynamic}}
  %o = llm.cross_entropy %z, %l, %s : tensor<2x?xf32>, tensor<2xi32>, tensor<1xf32> -> tensor<1xf32>
  return
}

// -----

func.func @f(%z: tensor<2x3xf32>, %l: tensor<3xi32>, %s: tensor<1xf32>, %d: tensor<1xf32>) {
  // expected-error @+1 {{'llm.cross_entropy_grad' op logits has 2 rows but labels has 3}}
  %o = llm.cross_entropy_grad %z, %l, %s, %d : tensor<2x3xf32>, tensor<3xi32>, tensor<1xf32>, tensor<1xf32>
  return
}

// -----

func.func @f(%z: tensor<2x3xf32>, %l: tensor<2xi32>, %s: tensor<1xf32>, %d: tensor<2xf32>) {
  // expected-error @+1 {{'llm.cross_entropy_grad' op dloss is 'tensor<2xf32>', must have one element}}
  %o = llm.cross_entropy_grad %z, %l, %s, %d : tensor<2x3xf32>, tensor<2xi32>, tensor<1xf32>, tensor<2xf32>
  return
}

// -----

func.func @f(%z: tensor<2x2xf32>, %l: tensor<2xf32>, %s: tensor<1xf32>) {
  // expected-error @+1 {{'llm.mse' op prediction has 2 columns, must have 1}}
  %o = llm.mse %z, %l, %s : tensor<2x2xf32>, tensor<2xf32>, tensor<1xf32> -> tensor<1xf32>
  return
}

// -----

func.func @f(%z: tensor<2x1xf32>, %l: tensor<3xf32>, %s: tensor<1xf32>) {
  // expected-error @+1 {{'llm.mse' op prediction has 2 rows but labels has 3}}
  %o = llm.mse %z, %l, %s : tensor<2x1xf32>, tensor<3xf32>, tensor<1xf32> -> tensor<1xf32>
  return
}

// -----

func.func @f(%z: tensor<2x1xf32>, %l: tensor<2xf32>, %s: tensor<4xf32>) {
  // expected-error @+1 {{'llm.mse' op scale is 'tensor<4xf32>', must have one element}}
  %o = llm.mse %z, %l, %s : tensor<2x1xf32>, tensor<2xf32>, tensor<4xf32> -> tensor<1xf32>
  return
}

// -----

func.func @f(%z: tensor<2x2xf32>, %l: tensor<2xf32>, %s: tensor<1xf32>, %d: tensor<1xf32>) {
  // expected-error @+1 {{'llm.mse_grad' op prediction has 2 columns, must have 1}}
  %o = llm.mse_grad %z, %l, %s, %d : tensor<2x2xf32>, tensor<2xf32>, tensor<1xf32>, tensor<1xf32>
  return
}

// -----

func.func @f(%z: tensor<2x1xf32>, %l: tensor<3xf32>, %s: tensor<1xf32>, %d: tensor<1xf32>) {
  // expected-error @+1 {{'llm.mse_grad' op prediction has 2 rows but labels has 3}}
  %o = llm.mse_grad %z, %l, %s, %d : tensor<2x1xf32>, tensor<3xf32>, tensor<1xf32>, tensor<1xf32>
  return
}

// -----

func.func @f(%z: tensor<2x1xf32>, %l: tensor<2xf32>, %s: tensor<1xf32>, %d: tensor<3xf32>) {
  // expected-error @+1 {{'llm.mse_grad' op dloss is 'tensor<3xf32>', must have one element}}
  %o = llm.mse_grad %z, %l, %s, %d : tensor<2x1xf32>, tensor<2xf32>, tensor<1xf32>, tensor<3xf32>
  return
}

// -----

func.func @f(%a: tensor<8x32xf32>, %b: tensor<64x32xf32>) {
  // expected-error @+1 {{'llm.matmul' op inner sizes differ: a has 32 and b has 64}}
  %d = llm.matmul %a, %b : (tensor<8x32xf32>, tensor<64x32xf32>) -> tensor<8x64xf32>
  return
}

// -----

func.func @f(%a: tensor<8x32xf32>, %b: tensor<8x64xf32>) {
  // expected-error @+1 {{'llm.matmul' op product is 32x64 but the result is 32x32}}
  %d = llm.matmul %a, %b transpose_a : (tensor<8x32xf32>, tensor<8x64xf32>) -> tensor<32x32xf32>
  return
}

// -----

func.func @f(%a: tensor<8x32xf32>, %b: tensor<64x32xf32>) {
  // expected-error @+1 {{'llm.matmul' op product is 8x64 but the result is 4x64}}
  %d = llm.matmul %a, %b transpose_b : (tensor<8x32xf32>, tensor<64x32xf32>) -> tensor<4x64xf32>
  return
}

// -----

func.func @f(%a: tensor<8x32xf32>, %b: tensor<32x64xbf16>) {
  // expected-error @+1 {{'llm.matmul' op a is of 'f32' but b of 'bf16'}}
  %d = llm.matmul %a, %b : (tensor<8x32xf32>, tensor<32x64xbf16>) -> tensor<8x64xf32>
  return
}

// -----

func.func @f(%a: tensor<8x32xf32>, %b: tensor<32x64xf32>) {
  // expected-error @+1 {{'llm.matmul' op multiplies 'f32' but its result is of 'bf16'}}
  %d = llm.matmul %a, %b : (tensor<8x32xf32>, tensor<32x64xf32>) -> tensor<8x64xbf16>
  return
}

// -----

func.func @f(%a: tensor<8x32xf32>, %b: tensor<32x64xf32>, %c: tensor<8x32xf32>) {
  // expected-error @+1 {{'llm.matmul' op accumulates into 'tensor<8x32xf32>' but the result is 'tensor<8x64xf32>'}}
  %d = llm.matmul %a, %b accumulate(%c) : (tensor<8x32xf32>, tensor<32x64xf32>, tensor<8x32xf32>) -> tensor<8x64xf32>
  return
}

// -----

func.func @f(%h: tensor<7xf64>) {
  // expected-error @+1 {{'llm.optimizer_step' op hyper is 'tensor<7xf64>', must have 8 elements}}
  %n, %l = llm.optimizer_step ["w"] %h : tensor<7xf64> -> tensor<1xf32>, tensor<1xf32>
  return
}

// -----

func.func @f(%h: tensor<8xf64>) {
  // expected-error @+1 {{'llm.optimizer_step' op grad_norm is 'tensor<2xf32>', must have one element}}
  %n, %l = llm.optimizer_step ["w"] %h : tensor<8xf64> -> tensor<2xf32>, tensor<1xf32>
  return
}

// -----

func.func @f(%h: tensor<8xf64>) {
  // expected-error @+1 {{'llm.optimizer_step' op learning_rate is 'tensor<2xf32>', must have one element}}
  %n, %l = llm.optimizer_step ["w"] %h : tensor<8xf64> -> tensor<1xf32>, tensor<2xf32>
  return
}

// -----

func.func @f(%y: tensor<2x4xf32>, %s: tensor<2xf32>) {
  // expected-error @+1 {{'llm.sum' op scale is 'tensor<2xf32>', must have one element}}
  %l = llm.sum %y, %s : tensor<2x4xf32>, tensor<2xf32> -> tensor<1xf32>
  return
}

// -----

func.func @f(%y: tensor<2x4xf32>, %s: tensor<1xf32>, %d: tensor<2xf32>) {
  // expected-error @+1 {{'llm.sum_grad' op dloss is 'tensor<2xf32>', must have one element}}
  %l = llm.sum_grad %y, %s, %d : tensor<2x4xf32>, tensor<1xf32>, tensor<2xf32>
  return
}
