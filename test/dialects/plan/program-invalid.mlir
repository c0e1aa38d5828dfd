// What the verifiers of programs, buffers and steps refuse, and how they say it.
// RUN: llama-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{tokens is 0, not 1 to 2^30}}
plan.program @p kind(train) tokens(0) sequences(2) {
}

// -----

// expected-error @+1 {{sequences is -2, not 1 to 2^30}}
plan.program @p kind(train) tokens(8) sequences(-2) {
}

// -----

// expected-error @+1 {{has 65 streams, not 1 to 64}}
plan.program @p kind(train) tokens(8) sequences(2) streams(65) {
}

// -----

// expected-error @+1 {{takes no block arguments}}
plan.program @p kind(train) tokens(8) sequences(2) {
^bb0(%a: tensor<8xf32>):
  plan.fill %a with 0.0 : tensor<8xf32>
}

// -----

plan.program @p kind(train) tokens(8) sequences(2) {
  // expected-error @+1 {{is no buffer, input, output or step of a plan}}
  %a = llm.constant dense<1.0> : tensor<8xf32> : tensor<8xf32>
}

// -----

plan.program @p kind(train) tokens(8) sequences(2) {
  // expected-error @+1 {{@a is not a plan.allocation}}
  %a = plan.buffer in @a : tensor<8xf32>
}

// -----

plan.allocation @a category(activations) bytes(256)
plan.program @p kind(train) tokens(8) sequences(2) {
  // expected-error @+1 {{bytes [252, +32) are outside @a of 256 bytes}}
  %a = plan.buffer in @a at 252 : tensor<8xf32>
}

// -----

plan.allocation @a category(activations) bytes(256)
plan.program @p kind(train) tokens(8) sequences(2) {
  // expected-error @+1 {{must be statically shaped tensor of}}
  %a = plan.buffer in @a : tensor<?xf32>
}

// -----

plan.allocation @a category(activations) bytes(256)
plan.program @p kind(train) tokens(8) sequences(2) {
  %a = plan.buffer in @a : tensor<8xi32>
  %b = plan.buffer in @a : tensor<8xi32>
  plan.input "input_ids" %a : tensor<8xi32>
  // expected-error @+1 {{binds 'input_ids' twice}}
  plan.input "input_ids" %b : tensor<8xi32>
}

// -----

plan.allocation @a category(activations) bytes(256)
plan.program @p kind(train) tokens(8) sequences(2) {
  %a = plan.buffer in @a : tensor<1xf32>
  plan.output "loss" %a : tensor<1xf32>
  // expected-error @+1 {{binds 'loss' twice}}
  plan.output "loss" %a : tensor<1xf32>
}

// -----

plan.allocation @a category(activations) bytes(256)
plan.program @p kind(train) tokens(8) sequences(2) {
  %a = plan.buffer in @a : tensor<1xf32>
  // expected-error @+1 {{runs on stream 1 of 1}}
  plan.fill %a with 0.0 stream(1) : tensor<1xf32>
}

// -----

plan.allocation @a category(activations) bytes(256)
plan.program @p kind(train) tokens(8) sequences(2) streams(2) {
  %a = plan.buffer in @a : tensor<1xf32>
  plan.fill %a with 0.0 : tensor<1xf32>
  // expected-error @+1 {{waits for step 1, which is not before it: it is step 1}}
  plan.fill %a with 0.0 stream(1) waits [0, 1] : tensor<1xf32>
}

// -----

plan.allocation @a category(activations) bytes(256)
plan.program @p kind(train) tokens(8) sequences(2) streams(2) {
  %a = plan.buffer in @a : tensor<1xf32>
  plan.fill %a with 0.0 : tensor<1xf32>
  // expected-error @+1 {{waits for step 0 of its own stream}}
  plan.fill %a with 0.0 waits [0] : tensor<1xf32>
}

// -----

plan.allocation @a category(activations) bytes(4096)
plan.program @p kind(train) tokens(8) sequences(2) {
  %a = plan.buffer in @a : tensor<8x4xf32>
  %b = plan.buffer in @a : tensor<4x2xf32>
  %d = plan.buffer in @a : tensor<8x2xf32>
  // expected-error @+1 {{A takes 8 x 5 elements with leading dimension 5, which is not inside 'tensor<8x4xf32>'}}
  plan.gemm %a, %b into %d m(8) n(2) k(5) lda(5) ldb(2) ldd(2) : tensor<8x4xf32>, tensor<4x2xf32>, tensor<8x2xf32>
}

// -----

plan.allocation @a category(activations) bytes(4096)
plan.program @p kind(train) tokens(8) sequences(2) {
  %a = plan.buffer in @a : tensor<8x4xf32>
  %b = plan.buffer in @a : tensor<4x2xf32>
  %d = plan.buffer in @a : tensor<8x2xf32>
  // expected-error @+1 {{B takes 2 x 4 elements with leading dimension 2, which is not inside 'tensor<4x2xf32>'}}
  plan.gemm %a, %b transpose_b into %d m(8) n(2) k(4) lda(4) ldb(2) ldd(2) : tensor<8x4xf32>, tensor<4x2xf32>, tensor<8x2xf32>
}

// -----

plan.allocation @a category(activations) bytes(4096)
plan.program @p kind(train) tokens(8) sequences(2) {
  %a = plan.buffer in @a : tensor<8x4xf32>
  %b = plan.buffer in @a : tensor<4x2xf32>
  %d = plan.buffer in @a : tensor<8x2xf32>
  // expected-error @+1 {{D takes 8 x 2 elements with leading dimension 3, which is not inside 'tensor<8x2xf32>'}}
  plan.gemm %a, %b into %d m(8) n(2) k(4) lda(4) ldb(2) ldd(3) : tensor<8x4xf32>, tensor<4x2xf32>, tensor<8x2xf32>
}

// -----

plan.allocation @a category(activations) bytes(4096)
plan.program @p kind(train) tokens(8) sequences(2) {
  %a = plan.buffer in @a : tensor<4x4xf32>
  // expected-error @+1 {{m, n, k = 4, 0, 4 are not 1 to 2^31 - 1}}
  plan.gemm %a, %a into %a m(4) n(0) k(4) lda(4) ldb(4) ldd(4) : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

plan.allocation @a category(activations) bytes(4096)
plan.program @p kind(train) tokens(8) sequences(2) {
  %a = plan.buffer in @a : tensor<4x4xf32>
  // expected-error @+1 {{D is also an operand}}
  plan.gemm %a, %a into %a m(4) n(4) k(4) lda(4) ldb(4) ldd(4) : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

plan.allocation @a category(activations) bytes(4096)
plan.program @p kind(train) tokens(8) sequences(2) {
  %a = plan.buffer in @a : tensor<4x4xf32>
  %b = plan.buffer in @a : tensor<4x4xbf16>
  %d = plan.buffer in @a : tensor<4x4xf32>
  // expected-error @+1 {{cannot multiply 'f32' x 'bf16' into 'f32'}}
  plan.gemm %a, %b into %d m(4) n(4) k(4) lda(4) ldb(4) ldd(4) : tensor<4x4xf32>, tensor<4x4xbf16>, tensor<4x4xf32>
}

// -----

plan.allocation @a category(activations) bytes(4096)
plan.program @p kind(train) tokens(8) sequences(2) {
  %a = plan.buffer in @a : tensor<4x4xf32>
  // expected-error @+1 {{@add is not a plan.kernel}}
  plan.launch @add reads(%a) writes(%a) : (tensor<4x4xf32>) -> tensor<4x4xf32>
}

// -----

plan.allocation @a category(activations) bytes(4096)
plan.kernel @add "add" {
^bb0(%a: tensor<4x4xf32>, %b: tensor<4x4xf32>):
  %s = llm.add %a, %b : tensor<4x4xf32>
  plan.return %s : tensor<4x4xf32>
}
plan.program @p kind(train) tokens(8) sequences(2) {
  %a = plan.buffer in @a : tensor<4x4xf32>
  %long = plan.buffer in @a : tensor<9x4xf32>
  // Another number of rows is another bucket.
  plan.launch @add reads(%long, %long) writes(%long) : (tensor<9x4xf32>, tensor<9x4xf32>) -> tensor<9x4xf32>
  // expected-error @+1 {{reads 1 buffers, @add 2}}
  plan.launch @add reads(%a) writes(%a) : (tensor<4x4xf32>) -> tensor<4x4xf32>
}

// -----

plan.allocation @a category(activations) bytes(4096)
plan.kernel @add "add" {
^bb0(%a: tensor<4x4xf32>, %b: tensor<4x4xf32>):
  %s = llm.add %a, %b : tensor<4x4xf32>
  plan.return %s : tensor<4x4xf32>
}
plan.program @p kind(train) tokens(8) sequences(2) {
  %a = plan.buffer in @a : tensor<4x4xf32>
  %wide = plan.buffer in @a : tensor<4x5xf32>
  // expected-error @+1 {{reads 'tensor<4x5xf32>' as buffer 1, @add 'tensor<4x4xf32>'}}
  plan.launch @add reads(%a, %wide) writes(%a) : (tensor<4x4xf32>, tensor<4x5xf32>) -> tensor<4x4xf32>
}

// -----

plan.allocation @a category(activations) bytes(4096)
plan.kernel @add "add" {
^bb0(%a: tensor<4x4xf32>, %b: tensor<4x4xf32>):
  %s = llm.add %a, %b : tensor<4x4xf32>
  plan.return %s : tensor<4x4xf32>
}
plan.program @p kind(train) tokens(8) sequences(2) {
  %a = plan.buffer in @a : tensor<4x4xf32>
  // expected-error @+1 {{writes 2 buffers, @add 1}}
  plan.launch @add reads(%a, %a) writes(%a, %a) : (tensor<4x4xf32>, tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>)
}

// -----

plan.allocation @a category(activations) bytes(4096)
plan.kernel @add "add" {
^bb0(%a: tensor<4x4xf32>, %b: tensor<4x4xf32>):
  %s = llm.add %a, %b : tensor<4x4xf32>
  plan.return %s : tensor<4x4xf32>
}
plan.program @p kind(train) tokens(8) sequences(2) {
  %a = plan.buffer in @a : tensor<4x4xf32>
  %flat = plan.buffer in @a : tensor<16xf32>
  // expected-error @+1 {{writes 'tensor<16xf32>' as buffer 0, @add 'tensor<4x4xf32>'}}
  plan.launch @add reads(%a, %a) writes(%flat) : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<16xf32>
}

// -----

plan.allocation @a category(activations) bytes(4096)
plan.program @p kind(train) tokens(8) sequences(2) {
  %a = plan.buffer in @a : tensor<4xf32>
  // expected-error @+1 {{writes nothing}}
  plan.launch @k reads(%a) writes() : (tensor<4xf32>) -> ()
}

// -----

plan.allocation @a category(activations) bytes(4096)
plan.program @p kind(train) tokens(8) sequences(2) {
  %a = plan.buffer in @a : tensor<4xf32>
  // expected-error @+1 {{grid needs x, y and z}}
  plan.launch @k reads() writes(%a) grid [4] : () -> tensor<4xf32>
}

// -----

plan.allocation @a category(activations) bytes(4096)
plan.program @p kind(train) tokens(8) sequences(2) {
  %a = plan.buffer in @a : tensor<4xf32>
  // expected-error @+1 {{grid is empty or above 2147483647}}
  plan.launch @k reads() writes(%a) grid [65536, 32768, 1] : () -> tensor<4xf32>
}

// -----

plan.allocation @a category(activations) bytes(4096)
plan.program @p kind(train) tokens(8) sequences(2) {
  %a = plan.buffer in @a : tensor<4xf32>
  // expected-error @+1 {{block is empty or above 1024}}
  plan.launch @k reads() writes(%a) block [1024, 2, 1] : () -> tensor<4xf32>
}

// -----

plan.allocation @a category(activations) bytes(4096)
plan.program @p kind(train) tokens(8) sequences(2) {
  %a = plan.buffer in @a : tensor<4xf32>
  // expected-error @+1 {{grain is not 1 to 2^31 - 1}}
  plan.launch @k reads() writes(%a) grain(0) : () -> tensor<4xf32>
}

// -----

plan.allocation @a category(activations) bytes(4096)
plan.program @p kind(train) tokens(8) sequences(2) {
  %a = plan.buffer in @a : tensor<4xf32>
  // expected-error @+1 {{shared memory is not 0 to 2^20 bytes}}
  plan.launch @k reads() writes(%a) shared(-1) : () -> tensor<4xf32>
}

// -----

plan.allocation @a category(activations) bytes(4096)
plan.program @p kind(train) tokens(8) sequences(2) {
  %a = plan.buffer in @a : tensor<4xf32>
  %b = plan.buffer in @a : tensor<4xf64>
  // expected-error @+1 {{copies 16 to 32 bytes}}
  plan.copy %a to %b : tensor<4xf32>, tensor<4xf64>
}

// -----

plan.allocation @a category(activations) bytes(4096)
plan.program @p kind(train) tokens(8) sequences(2) {
  %a = plan.buffer in @a : tensor<4xf32>
  // expected-error @+1 {{copies a buffer to itself}}
  plan.copy %a to %a : tensor<4xf32>, tensor<4xf32>
}

// -----

plan.allocation @a category(activations) bytes(4096)
plan.program @p kind(train) tokens(8) sequences(2) {
  %a = plan.buffer in @a : tensor<4xi32>
  // expected-error @+1 {{2.147484e+09 is no 'i32'}}
  plan.fill %a with 2147483648.0 : tensor<4xi32>
}

// -----

plan.allocation @a category(activations) bytes(4096)
plan.program @p kind(train) tokens(8) sequences(2) {
  %a = plan.buffer in @a : tensor<4xui8>
  // expected-error @+1 {{-1.000000e+00 is no 'ui8'}}
  plan.fill %a with -1.0 : tensor<4xui8>
}

// -----

module attributes {plan.grid = [#plan.axis<name = "dp", size = 4>]} {
  plan.allocation @a category(activations) bytes(4096)
  plan.program @p kind(train) tokens(8) sequences(2) {
    %a = plan.buffer in @a : tensor<4xf32>
    %b = plan.buffer in @a : tensor<8xf32>
    // expected-error @+1 {{all_gather of 4 to 8 elements over 4 devices}}
    plan.collective all_gather axes [0] %a to %b : tensor<4xf32>, tensor<8xf32>
  }
}

// -----

module attributes {plan.grid = [#plan.axis<name = "dp", size = 4>]} {
  plan.allocation @a category(activations) bytes(4096)
  plan.program @p kind(train) tokens(8) sequences(2) {
    %a = plan.buffer in @a : tensor<4xf32>
    // expected-error @+1 {{names grid axis 1, plan.grid has 1}}
    plan.collective all_reduce_sum axes [1] %a to %a : tensor<4xf32>, tensor<4xf32>
  }
}

// -----

module attributes {plan.grid = [#plan.axis<name = "dp", size = 4>]} {
  plan.allocation @a category(activations) bytes(4096)
  plan.program @p kind(train) tokens(8) sequences(2) {
    %a = plan.buffer in @a : tensor<4xf32>
    %b = plan.buffer in @a : tensor<4xi32>
    // expected-error @+1 {{source and target differ in element type}}
    plan.collective broadcast axes [0] %a to %b : tensor<4xf32>, tensor<4xi32>
  }
}

// -----

plan.allocation @a category(activations) bytes(4096)
plan.program @p kind(train) tokens(8) sequences(2) {
  %a = plan.buffer in @a : tensor<4xf32>
  // expected-error @+1 {{has no grid axis}}
  plan.collective all_reduce_sum axes [] %a to %a : tensor<4xf32>, tensor<4xf32>
}

// -----

module attributes {plan.grid = [#plan.axis<name = "tp", size = 4>]} {
  plan.allocation @a category(activations) bytes(4096)
  plan.program @p kind(train) tokens(8) sequences(2) {
    %a = plan.buffer in @a : tensor<4xf32>
    // expected-error @+1 {{in_kernel is for all_reduce_sum in place}}
    plan.collective all_reduce_max axes [0] %a to %a in_kernel : tensor<4xf32>, tensor<4xf32>
  }
}

// -----

module attributes {plan.grid = [#plan.axis<name = "tp", size = 4>]} {
  plan.allocation @a category(activations) bytes(4096)
  plan.program @p kind(train) tokens(8) sequences(2) {
    %a = plan.buffer in @a : tensor<4xf32>
    // expected-error @+1 {{is marked in_kernel, but the next step of its stream does not take the sum}}
    plan.collective all_reduce_sum axes [0] %a to %a in_kernel : tensor<4xf32>, tensor<4xf32>
    plan.fill %a with 0.0 : tensor<4xf32>
  }
}

// -----

plan.allocation @a category(activations) bytes(4096)
plan.code_object @c format(cubin) arch("sm_90") data("x")
plan.kernel @k "k" code_object(@c) sums [0, 2]
plan.program @p kind(train) tokens(8) sequences(2) {
  %a = plan.buffer in @a : tensor<4xf32>
  // expected-error @+1 {{takes a sum, but the step before it on its stream is no collective marked in_kernel}}
  plan.launch @k reads(%a) writes(%a) sums(0) : (tensor<4xf32>) -> tensor<4xf32>
}

// -----

plan.allocation @a category(activations) bytes(4096)
plan.code_object @c format(cubin) arch("sm_90") data("x")
plan.kernel @k "k" code_object(@c) sums [1, 2]
plan.program @p kind(train) tokens(8) sequences(2) {
  %a = plan.buffer in @a : tensor<4xf32>
  // expected-error @+1 {{sums input 1 of 1}}
  plan.launch @k reads(%a) writes(%a) sums(1) : (tensor<4xf32>) -> tensor<4xf32>
}

// -----

module attributes {plan.grid = [#plan.axis<name = "tp", size = 2>]} {
  plan.allocation @a category(activations) bytes(4096)
  plan.code_object @c format(cubin) arch("sm_90") data("x")
  plan.kernel @k "k" code_object(@c)
  plan.program @p kind(train) tokens(8) sequences(2) {
    %a = plan.buffer in @a : tensor<4xf32>
    plan.collective all_reduce_sum axes [0] %a to %a in_kernel : tensor<4xf32>, tensor<4xf32>
    // expected-error @+1 {{and @k differ in what input is summed}}
    plan.launch @k reads(%a) writes(%a) sums(0) : (tensor<4xf32>) -> tensor<4xf32>
  }
}

// -----

plan.code_object @c format(cubin) arch("sm_90") data("x")
// expected-error @+1 {{sums is not an argument and a number of devices}}
plan.kernel @k "k" code_object(@c) sums [0, 1]
