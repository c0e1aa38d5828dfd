// What the verifiers of parts, stacks and folded weights refuse.
// RUN: llama-opt %s -split-input-file -verify-diagnostics

func.func @f(%x: tensor<8x72xf32>) {
  // expected-error @+1 {{'llm.panel' op x is of 'f32' but the result of 'bf16'}}
  %t = llm.panel %x at [0, 64] : tensor<8x72xf32> -> tensor<8x8xbf16>
  return
}

// -----

func.func @f(%x: tensor<?x72xf32>) {
  // expected-error @+1 {{'llm.panel' op needs static sizes}}
  %t = llm.panel %x at [0, 64] : tensor<?x72xf32> -> tensor<8x8xf32>
  return
}

// -----

func.func @f(%x: tensor<8x72xf32>) {
  // expected-error @+1 {{'llm.panel' op needs static sizes}}
  %t = llm.panel %x at [0, 64] : tensor<8x72xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @f(%x: tensor<8x72xf32>) {
  // expected-error @+1 {{'llm.panel' op columns 65 to 73 are not in 'tensor<8x72xf32>'}}
  %t = llm.panel %x at [0, 65] : tensor<8x72xf32> -> tensor<8x8xf32>
  return
}

// -----

func.func @f(%x: tensor<8x72xf32>) {
  // expected-error @+1 {{'llm.panel' op columns -1 to 7 are not in 'tensor<8x72xf32>'}}
  %t = llm.panel %x at [0, -1] : tensor<8x72xf32> -> tensor<8x8xf32>
  return
}

// -----

func.func @f(%x: tensor<8x72xf32>) {
  // expected-error @+1 {{'llm.panel' op rows 1 to 9 are not in 'tensor<8x72xf32>'}}
  %t = llm.panel %x at [1, 0] : tensor<8x72xf32> -> tensor<8x8xf32>
  return
}

// -----

func.func @f(%x: tensor<8x72xf32>) {
  // expected-error @+1 {{'llm.panel' op rows 9 to 10 are not in 'tensor<8x72xf32>'}}
  %t = llm.panel %x at [9, 0] : tensor<8x72xf32> -> tensor<1x8xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'llm.concat' op has no parts}}
  %t = llm.concat : () -> tensor<8x8xf32>
  return
}

// -----

func.func @f(%x: tensor<8x64xf32>, %t: tensor<4x8xf32>) {
  // expected-error @+1 {{'llm.concat' op part 'tensor<4x8xf32>' does not suit 'tensor<8x72xf32>'}}
  %y = llm.concat %x, %t : (tensor<8x64xf32>, tensor<4x8xf32>) -> tensor<8x72xf32>
  return
}

// -----

func.func @f(%x: tensor<8x64xf32>, %t: tensor<8x8xbf16>) {
  // expected-error @+1 {{'llm.concat' op part 'tensor<8x8xbf16>' does not suit 'tensor<8x72xf32>'}}
  %y = llm.concat %x, %t : (tensor<8x64xf32>, tensor<8x8xbf16>) -> tensor<8x72xf32>
  return
}

// -----

func.func @f(%x: tensor<?x64xf32>) {
  // expected-error @+1 {{'llm.concat' op part 'tensor<?x64xf32>' does not suit 'tensor<8x64xf32>'}}
  %y = llm.concat %x : (tensor<?x64xf32>) -> tensor<8x64xf32>
  return
}

// -----

func.func @f(%x: tensor<8x64xf32>, %t: tensor<8x8xf32>) {
  // expected-error @+1 {{'llm.concat' op parts have 72 columns but the result has 80}}
  %y = llm.concat %x, %t : (tensor<8x64xf32>, tensor<8x8xf32>) -> tensor<8x80xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'llm.folded_weight' op needs rows, factors, a rank and a scale for each weight}}
  %f = llm.folded_weight ["q"] rows [4, 4] a [""] b [""] ranks [0] scales [0.0] pad 0 : tensor<8x4xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'llm.folded_weight' op needs rows, factors, a rank and a scale for each weight}}
  %f = llm.folded_weight ["q", "k"] rows [4, 4] a ["a"] b ["b", ""] ranks [1, 0] scales [1.0, 0.0] pad 8 : tensor<16x12xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'llm.folded_weight' op needs rows, factors, a rank and a scale for each weight}}
  %f = llm.folded_weight ["q"] rows [4] a ["a"] b ["b"] ranks [1] scales [] pad 8 : tensor<12x12xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'llm.folded_weight' op needs rows, factors, a rank and a scale for each weight}}
  %f = llm.folded_weight [] rows [] a [] b [] ranks [] scales [] pad 0 : tensor<8x4xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'llm.folded_weight' op padding 12 does not suit 'tensor<16x12xf32>'}}
  %f = llm.folded_weight ["q"] rows [4] a ["a"] b ["b"] ranks [1] scales [1.0] pad 12 : tensor<16x12xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'llm.folded_weight' op padding -1 does not suit 'tensor<4x4xf32>'}}
  %f = llm.folded_weight ["q"] rows [5] a [""] b [""] ranks [0] scales [0.0] pad -1 : tensor<4x4xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'llm.folded_weight' op padding 0 does not suit 'tensor<?x4xf32>'}}
  %f = llm.folded_weight ["q"] rows [4] a [""] b [""] ranks [0] scales [0.0] pad 0 : tensor<?x4xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'llm.folded_weight' op layer 1 has 0 rows and rank 0}}
  %f = llm.folded_weight ["q", "k"] rows [4, 0] a ["", ""] b ["", ""] ranks [0, 0] scales [0.0, 0.0] pad 0 : tensor<4x4xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'llm.folded_weight' op layer 0 has 4 rows and rank -1}}
  %f = llm.folded_weight ["q"] rows [4] a [""] b [""] ranks [-1] scales [0.0] pad 8 : tensor<12x12xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'llm.folded_weight' op layer 0 has 4 rows and rank 9}}
  %f = llm.folded_weight ["q"] rows [4] a ["a"] b ["b"] ranks [9] scales [1.0] pad 8 : tensor<12x12xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'llm.folded_weight' op layer 0 of rank 2 lacks a factor's name}}
  %f = llm.folded_weight ["q"] rows [4] a ["a"] b [""] ranks [2] scales [1.0] pad 8 : tensor<12x12xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'llm.folded_weight' op layer 0 of rank 0 names a factor}}
  %f = llm.folded_weight ["q"] rows [4] a ["a"] b [""] ranks [0] scales [0.0] pad 8 : tensor<12x12xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'llm.folded_weight' op has 8 rows of weights and ranks of 0 in all, which does not suit 'tensor<9x4xf32>' padded by 0}}
  %f = llm.folded_weight ["q", "k"] rows [4, 4] a ["", ""] b ["", ""] ranks [0, 0] scales [0.0, 0.0] pad 0 : tensor<9x4xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'llm.folded_weight' op has 8 rows of weights and ranks of 10 in all, which does not suit 'tensor<16x12xf32>' padded by 8}}
  %f = llm.folded_weight ["q", "k"] rows [4, 4] a ["a", "c"] b ["b", "d"] ranks [5, 5] scales [1.0, 1.0] pad 8 : tensor<16x12xf32>
  return
}

// -----

func.func @f(%p: tensor<2x1024xbf16>, %s: tensor<4x7xi64>) {
  // expected-error @+1 {{'llm.fold_into' op operand #0 must be 2D tensor of 32-bit float values, but got 'tensor<2x1024xbf16>'}}
  %w = llm.fold_into %p, %s : (tensor<2x1024xbf16>, tensor<4x7xi64>) -> tensor<8192xbf16>
  return
}

// -----

func.func @f(%p: tensor<2x1024xf32>, %s: tensor<24xi64>) {
  // expected-error @+1 {{'llm.fold_into' op operand #1 must be 2D tensor of 64-bit signless integer values, but got 'tensor<24xi64>'}}
  %w = llm.fold_into %p, %s : (tensor<2x1024xf32>, tensor<24xi64>) -> tensor<8192xbf16>
  return
}

// -----

func.func @f(%p: tensor<2x1024xf32>, %s: tensor<4x7xi64>) {
  // expected-error @+1 {{'llm.fold_into' op result #0 must be 1D tensor of 32-bit float or bfloat16 type values, but got 'tensor<8192xf64>'}}
  %w = llm.fold_into %p, %s : (tensor<2x1024xf32>, tensor<4x7xi64>) -> tensor<8192xf64>
  return
}
