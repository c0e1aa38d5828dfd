// What the verifiers of views, of their users and of weights whose rows lie apart
// refuse.
// RUN: llama-opt %s -split-input-file -verify-diagnostics

plan.allocation @a category(activations) bytes(16384)
plan.program @p kind(train) tokens(8) sequences(2) {
  %x = plan.buffer in @a : tensor<8x72xf32>
  %v = plan.view %x at 0 pitch(72) : tensor<8x72xf32> -> tensor<8x64xf32>
  // expected-error @+1 {{'plan.view' op must be of a plan.buffer}}
  %w = plan.view %v at 0 pitch(64) : tensor<8x64xf32> -> tensor<4x64xf32>
}

// -----

plan.allocation @a category(activations) bytes(16384)
plan.program @p kind(train) tokens(8) sequences(2) {
  %x = plan.buffer in @a : tensor<8x72xf32>
  // expected-error @+1 {{'plan.view' op is of 'bf16' but its buffer of 'f32'}}
  %v = plan.view %x at 0 pitch(72) : tensor<8x72xf32> -> tensor<8x8xbf16>
}

// -----

plan.allocation @a category(activations) bytes(16384)
plan.program @p kind(train) tokens(8) sequences(2) {
  %x = plan.buffer in @a : tensor<8x72xf32>
  // expected-error @+1 {{'plan.view' op rows 72 elements apart from element 65 on are not inside 'tensor<8x72xf32>'}}
  %v = plan.view %x at 65 pitch(72) : tensor<8x72xf32> -> tensor<8x8xf32>
}

// -----

plan.allocation @a category(activations) bytes(16384)
plan.program @p kind(train) tokens(8) sequences(2) {
  %x = plan.buffer in @a : tensor<8x72xf32>
  // expected-error @+1 {{'plan.view' op rows 72 elements apart from element 72 on are not inside 'tensor<8x72xf32>'}}
  %v = plan.view %x at 72 pitch(72) : tensor<8x72xf32> -> tensor<8x8xf32>
}

// -----

plan.allocation @a category(activations) bytes(16384)
plan.program @p kind(train) tokens(8) sequences(2) {
  %x = plan.buffer in @a : tensor<8x72xf32>
  // expected-error @+1 {{'plan.view' op rows 72 elements apart from element -1 on are not inside 'tensor<8x72xf32>'}}
  %v = plan.view %x at -1 pitch(72) : tensor<8x72xf32> -> tensor<8x8xf32>
}

// -----

plan.allocation @a category(activations) bytes(16384)
plan.program @p kind(train) tokens(8) sequences(2) {
  %x = plan.buffer in @a : tensor<8x72xf32>
  // expected-error @+1 {{'plan.view' op rows 72 elements apart from element 577 on are not inside 'tensor<8x72xf32>'}}
  %v = plan.view %x at 577 pitch(72) : tensor<8x72xf32> -> tensor<1x8xf32>
}

// -----

plan.allocation @a category(activations) bytes(16384)
plan.program @p kind(train) tokens(8) sequences(2) {
  %x = plan.buffer in @a : tensor<8x72xf32>
  // expected-error @+1 {{'plan.view' op rows 72 elements apart from element 570 on are not inside 'tensor<8x72xf32>'}}
  %v = plan.view %x at 570 pitch(72) : tensor<8x72xf32> -> tensor<1x8xf32>
}

// -----

plan.allocation @a category(activations) bytes(16384)
plan.program @p kind(train) tokens(8) sequences(2) {
  %x = plan.buffer in @a : tensor<8x72xf32>
  // expected-error @+1 {{'plan.view' op rows 7 elements apart from element 0 on are not inside 'tensor<8x72xf32>'}}
  %v = plan.view %x at 0 pitch(7) : tensor<8x72xf32> -> tensor<8x8xf32>
}

// -----

plan.allocation @a category(activations) bytes(16384)
plan.program @p kind(train) tokens(8) sequences(2) {
  %x = plan.buffer in @a : tensor<8x72xf32>
  // expected-error @+1 {{'plan.view' op rows -72 elements apart from element 0 on are not inside 'tensor<8x72xf32>'}}
  %v = plan.view %x at 0 pitch(-72) : tensor<8x72xf32> -> tensor<8x8xf32>
}

// -----

plan.allocation @a category(activations) bytes(16384)
plan.program @p kind(train) tokens(8) sequences(2) {
  %x = plan.buffer in @a : tensor<8x72xf32>
  // expected-error @+1 {{'plan.view' op rows 1000 elements apart from element 0 on are not inside 'tensor<8x72xf32>'}}
  %v = plan.view %x at 0 pitch(1000) : tensor<8x72xf32> -> tensor<1x8xf32>
}

// -----

plan.allocation @a category(activations) bytes(16384)
plan.program @p kind(train) tokens(8) sequences(2) {
  %x = plan.buffer in @a : tensor<8x72xf32>
  // expected-error @+1 {{'plan.view' op rows 72 elements apart from element 0 on are not inside 'tensor<8x72xf32>'}}
  %v = plan.view %x at 0 pitch(72) : tensor<8x72xf32> -> tensor<8xf32>
}

// -----

plan.allocation @a category(activations) bytes(16384)
plan.program @p kind(train) tokens(8) sequences(2) {
  %x = plan.buffer in @a : tensor<8x72xf32>
  // expected-error @+1 {{'plan.view' op rows 72 elements apart from element 0 on are not inside 'tensor<8x72xf32>'}}
  %v = plan.view %x at 0 pitch(72) : tensor<8x72xf32> -> tensor<0x8xf32>
}

// -----

plan.allocation @a category(activations) bytes(16384)
plan.program @p kind(train) tokens(8) sequences(2) {
  %x = plan.buffer in @a : tensor<8x72xf32>
  %v = plan.view %x at 64 pitch(72) : tensor<8x72xf32> -> tensor<8x8xf32>
  %w = plan.buffer in @a : tensor<8x8xf32>
  %d = plan.buffer in @a : tensor<8x8xf32>
  // expected-error @+1 {{A takes 8 x 8 elements with leading dimension 8, which is not the view 'tensor<8x8xf32>' of pitch 72}}
  plan.gemm %v, %w into %d m(8) n(8) k(8) lda(8) ldb(8) ldd(8) : tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>
}

// -----

plan.allocation @a category(activations) bytes(16384)
plan.program @p kind(train) tokens(8) sequences(2) {
  %x = plan.buffer in @a : tensor<8x72xf32>
  %v = plan.view %x at 64 pitch(72) : tensor<8x72xf32> -> tensor<8x8xf32>
  %w = plan.buffer in @a : tensor<8x8xf32>
  %d = plan.buffer in @a : tensor<8x8xf32>
  // expected-error @+1 {{A takes 9 x 8 elements with leading dimension 72, which is not the view 'tensor<8x8xf32>' of pitch 72}}
  plan.gemm %v, %w into %d m(9) n(8) k(8) lda(72) ldb(8) ldd(8) : tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>
}

// -----

plan.allocation @a category(activations) bytes(16384)
plan.program @p kind(train) tokens(8) sequences(2) {
  %x = plan.buffer in @a : tensor<8x72xf32>
  %v = plan.view %x at 64 pitch(72) : tensor<8x72xf32> -> tensor<8x8xf32>
  %w = plan.buffer in @a : tensor<8x8xf32>
  %d = plan.buffer in @a : tensor<8x8xf32>
  // expected-error @+1 {{D takes 8 x 9 elements with leading dimension 72, which is not the view 'tensor<8x8xf32>' of pitch 72}}
  plan.gemm %w, %x into %v m(8) n(9) k(8) lda(8) ldb(72) ldd(72) : tensor<8x8xf32>, tensor<8x72xf32>, tensor<8x8xf32>
}

// -----

plan.allocation @a category(activations) bytes(16384)
plan.program @p kind(train) tokens(8) sequences(2) {
  %x = plan.buffer in @a : tensor<8x72xf32>
  %v = plan.view %x at 64 pitch(72) : tensor<8x72xf32> -> tensor<8x8xf32>
  %w = plan.buffer in @a : tensor<64xf32>
  // expected-error @+1 {{'plan.copy' op copies 'tensor<8x8xf32>' to 'tensor<64xf32>', of which one has rows that lie apart}}
  plan.copy %v to %w : tensor<8x8xf32>, tensor<64xf32>
}

// -----

plan.allocation @a category(activations) bytes(16384)
plan.program @p kind(train) tokens(8) sequences(2) {
  %x = plan.buffer in @a : tensor<8x72xf32>
  %v = plan.view %x at 64 pitch(72) : tensor<8x72xf32> -> tensor<8x8xf32>
  %w = plan.buffer in @a : tensor<4x16xf32>
  // expected-error @+1 {{'plan.copy' op copies 'tensor<4x16xf32>' to 'tensor<8x8xf32>', of which one has rows that lie apart}}
  plan.copy %w to %v : tensor<4x16xf32>, tensor<8x8xf32>
}

// -----

plan.allocation @a category(activations) bytes(16384)
plan.program @p kind(train) tokens(8) sequences(2) {
  %x = plan.buffer in @a : tensor<8x72xf32>
  %v = plan.view %x at 64 pitch(72) : tensor<8x72xf32> -> tensor<8x8xf32>
  // expected-error @+1 {{'plan.fill' op takes no view whose rows lie apart}}
  plan.fill %v with 0.0 : tensor<8x8xf32>
}

// -----

module attributes {plan.grid = [#plan.axis<name = "dp", size = 2>]} {
  plan.allocation @a category(activations) bytes(16384)
  plan.program @p kind(train) tokens(8) sequences(2) {
    %x = plan.buffer in @a : tensor<8x72xf32>
    %v = plan.view %x at 64 pitch(72) : tensor<8x72xf32> -> tensor<8x8xf32>
    // expected-error @+1 {{'plan.collective' op takes no view whose rows lie apart}}
    plan.collective all_reduce_sum axes [0] %v to %v : tensor<8x8xf32>, tensor<8x8xf32>
  }
}

// -----

plan.allocation @a category(activations) bytes(16384)
#rc = affine_map<(r, c) -> (r, c)>
plan.kernel @copy "copy" {
^bb0(%a: tensor<8x72xf32>):
  %y = llm.rowwise rows(8) cols(8) ins(%a : tensor<8x72xf32>) maps [#rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<8x8xf32>) {
  ^bb0(%x: f32):
    llm.yield %x : f32
  }
  plan.return %y : tensor<8x8xf32>
}
plan.program @p kind(train) tokens(8) sequences(2) {
  %x = plan.buffer in @a : tensor<8x72xf32>
  %u = plan.buffer in @a : tensor<8x16xf32>
  %d = plan.buffer in @a : tensor<8x8xf32>
  // As wide as the kernel's columns, but its rows lie elsewhere.
  %v = plan.view %u at 8 pitch(16) : tensor<8x16xf32> -> tensor<8x8xf32>
  // expected-error @+1 {{reads 'tensor<8x8xf32>' as buffer 0, @copy 'tensor<8x72xf32>'}}
  plan.launch @copy reads(%v) writes(%d) : (tensor<8x8xf32>) -> tensor<8x8xf32>
}

// -----

plan.allocation @a category(activations) bytes(16384)
#rc = affine_map<(r, c) -> (r, c)>
plan.kernel @copy "copy" {
^bb0(%a: tensor<8x72xf32>):
  %y = llm.rowwise rows(8) cols(8) ins(%a : tensor<8x72xf32>) maps [#rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<8x8xf32>) {
  ^bb0(%x: f32):
    llm.yield %x : f32
  }
  plan.return %y : tensor<8x8xf32>
}
plan.program @p kind(train) tokens(8) sequences(2) {
  %x = plan.buffer in @a : tensor<8x72xf32>
  %v = plan.view %x at 64 pitch(72) : tensor<8x72xf32> -> tensor<8x8xf32>
  // expected-error @+1 {{writes 'tensor<8x8xf32>' as buffer 0, @copy 'tensor<8x8xf32>'}}
  plan.launch @copy reads(%x) writes(%v) : (tensor<8x72xf32>) -> tensor<8x8xf32>
}

// -----

plan.allocation @w category(weights) bytes(2304)
// expected-error @+1 {{'plan.tensor' op pitch 63 does not suit 'tensor<4x64xf32>'}}
plan.tensor "t" role(weight) in @w at 0 pitch(63) : tensor<4x64xf32> init(checkpoint)

// -----

plan.allocation @w category(weights) bytes(2304)
// expected-error @+1 {{'plan.tensor' op pitch -72 does not suit 'tensor<4x64xf32>'}}
plan.tensor "t" role(weight) in @w at 0 pitch(-72) : tensor<4x64xf32> init(checkpoint)

// -----

plan.allocation @w category(weights) bytes(2304)
// expected-error @+1 {{'plan.tensor' op pitch 2147483648 does not suit 'tensor<4x64xf32>'}}
plan.tensor "t" role(weight) in @w at 0 pitch(2147483648) : tensor<4x64xf32> init(checkpoint)

// -----

plan.allocation @w category(weights) bytes(2304)
// expected-error @+1 {{'plan.tensor' op pitch 72 does not suit 'tensor<64xf32>'}}
plan.tensor "t" role(weight) in @w at 0 pitch(72) : tensor<64xf32> init(checkpoint)

// -----

plan.allocation @w category(weights) bytes(2304)
// expected-error @+1 {{'plan.tensor' op bytes [1188, +1120) are outside @w of 2304 bytes}}
plan.tensor "t" role(weight) in @w at 1188 pitch(72) : tensor<4x64xf32> init(checkpoint)
