// Panels that are read before they are written, and steps of two streams that
// nothing orders.
// RUN: llama-opt %s --memory-verify -split-input-file -verify-diagnostics

// The left panel is written, the right one is read.
module {
  plan.allocation @gradients category(gradients) bytes(1024)
  plan.allocation @activations category(activations) bytes(8192)
  plan.code_object @code format(cubin) arch("sm_90") data("x")
  plan.kernel @k "k" code_object(@code)
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    // expected-note @+1 {{the buffer is at bytes 0 to 2304}}
    %x = plan.buffer in @activations at 0 : tensor<8x72xf32>
    %l = plan.view %x at 0 pitch(72) : tensor<8x72xf32> -> tensor<8x64xf32>
    %r = plan.view %x at 64 pitch(72) : tensor<8x72xf32> -> tensor<8x8xf32>
    %y = plan.buffer in @activations at 4096 : tensor<8x72xf32>
    %yl = plan.view %y at 0 pitch(72) : tensor<8x72xf32> -> tensor<8x64xf32>
    plan.launch @k reads() writes(%l) : () -> tensor<8x64xf32>
    // expected-error @+1 {{reads a buffer that is not wholly written}}
    plan.launch @k reads(%r) writes(%y) : (tensor<8x8xf32>) -> tensor<8x72xf32>
  }
}

// -----

// All of it is read, columns 64 to 72 are missing.
module {
  plan.allocation @gradients category(gradients) bytes(1024)
  plan.allocation @activations category(activations) bytes(8192)
  plan.code_object @code format(cubin) arch("sm_90") data("x")
  plan.kernel @k "k" code_object(@code)
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    // expected-note @+1 {{the buffer is at bytes 0 to 2304}}
    %x = plan.buffer in @activations at 0 : tensor<8x72xf32>
    %l = plan.view %x at 0 pitch(72) : tensor<8x72xf32> -> tensor<8x64xf32>
    %r = plan.view %x at 64 pitch(72) : tensor<8x72xf32> -> tensor<8x8xf32>
    %y = plan.buffer in @activations at 4096 : tensor<8x72xf32>
    %yl = plan.view %y at 0 pitch(72) : tensor<8x72xf32> -> tensor<8x64xf32>
    plan.launch @k reads() writes(%l) : () -> tensor<8x64xf32>
    // expected-error @+1 {{reads a buffer that is not wholly written}}
    plan.copy %x to %y : tensor<8x72xf32>, tensor<8x72xf32>
  }
}

// -----

// Half a panel more: columns 64 to 68 are there, 68 to 72 are not.
module {
  plan.allocation @gradients category(gradients) bytes(1024)
  plan.allocation @activations category(activations) bytes(8192)
  plan.code_object @code format(cubin) arch("sm_90") data("x")
  plan.kernel @k "k" code_object(@code)
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    // expected-note @+1 {{the buffer is at bytes 0 to 2304}}
    %x = plan.buffer in @activations at 0 : tensor<8x72xf32>
    %l = plan.view %x at 0 pitch(72) : tensor<8x72xf32> -> tensor<8x64xf32>
    %r = plan.view %x at 64 pitch(72) : tensor<8x72xf32> -> tensor<8x8xf32>
    %y = plan.buffer in @activations at 4096 : tensor<8x72xf32>
    %yl = plan.view %y at 0 pitch(72) : tensor<8x72xf32> -> tensor<8x64xf32>
    %h = plan.view %x at 64 pitch(72) : tensor<8x72xf32> -> tensor<8x4xf32>
    plan.launch @k reads() writes(%l) : () -> tensor<8x64xf32>
    plan.launch @k reads() writes(%h) : () -> tensor<8x4xf32>
    // expected-error @+1 {{reads a buffer that is not wholly written}}
    plan.launch @k reads(%r) writes(%y) : (tensor<8x8xf32>) -> tensor<8x72xf32>
  }
}

// -----

// Another buffer took the bytes, and one panel has come back since: not the other.
module {
  plan.allocation @gradients category(gradients) bytes(1024)
  plan.allocation @activations category(activations) bytes(8192)
  plan.code_object @code format(cubin) arch("sm_90") data("x")
  plan.kernel @k "k" code_object(@code)
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    // expected-note @+1 {{the buffer is at bytes 0 to 2304}}
    %x = plan.buffer in @activations at 0 : tensor<8x72xf32>
    %l = plan.view %x at 0 pitch(72) : tensor<8x72xf32> -> tensor<8x64xf32>
    %r = plan.view %x at 64 pitch(72) : tensor<8x72xf32> -> tensor<8x8xf32>
    %y = plan.buffer in @activations at 4096 : tensor<8x72xf32>
    %yl = plan.view %y at 0 pitch(72) : tensor<8x72xf32> -> tensor<8x64xf32>
    %z = plan.buffer in @activations at 1024 : tensor<8xf32>
    plan.launch @k reads() writes(%l) : () -> tensor<8x64xf32>
    plan.launch @k reads() writes(%r) : () -> tensor<8x8xf32>
    plan.fill %z with 0.0 : tensor<8xf32>
    plan.launch @k reads() writes(%l) : () -> tensor<8x64xf32>
    // expected-error @+1 {{reads a buffer that is not wholly written}}
    plan.copy %x to %y : tensor<8x72xf32>, tensor<8x72xf32>
  }
}

// -----

// A step reads columns that it also writes, but not the same ones.
module {
  plan.allocation @gradients category(gradients) bytes(1024)
  plan.allocation @activations category(activations) bytes(8192)
  plan.code_object @code format(cubin) arch("sm_90") data("x")
  plan.kernel @k "k" code_object(@code)
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    %x = plan.buffer in @activations at 0 : tensor<8x72xf32>
    %l = plan.view %x at 0 pitch(72) : tensor<8x72xf32> -> tensor<8x64xf32>
    %r = plan.view %x at 64 pitch(72) : tensor<8x72xf32> -> tensor<8x8xf32>
    %y = plan.buffer in @activations at 4096 : tensor<8x72xf32>
    %yl = plan.view %y at 0 pitch(72) : tensor<8x72xf32> -> tensor<8x64xf32>
    %m = plan.view %x at 8 pitch(72) : tensor<8x72xf32> -> tensor<8x64xf32>
    plan.launch @k reads() writes(%l) : () -> tensor<8x64xf32>
    plan.launch @k reads() writes(%r) : () -> tensor<8x8xf32>
    // expected-error @+1 {{uses two buffers that overlap, one of them to write}}
    plan.launch @k reads(%l) writes(%m) : (tensor<8x64xf32>) -> tensor<8x64xf32>
  }
}

// -----

// Two results in overlapping columns.
module {
  plan.allocation @gradients category(gradients) bytes(1024)
  plan.allocation @activations category(activations) bytes(8192)
  plan.code_object @code format(cubin) arch("sm_90") data("x")
  plan.kernel @k "k" code_object(@code)
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    %x = plan.buffer in @activations at 0 : tensor<8x72xf32>
    %l = plan.view %x at 0 pitch(72) : tensor<8x72xf32> -> tensor<8x64xf32>
    %r = plan.view %x at 64 pitch(72) : tensor<8x72xf32> -> tensor<8x8xf32>
    %y = plan.buffer in @activations at 4096 : tensor<8x72xf32>
    %yl = plan.view %y at 0 pitch(72) : tensor<8x72xf32> -> tensor<8x64xf32>
    %m = plan.view %x at 60 pitch(72) : tensor<8x72xf32> -> tensor<8x8xf32>
    // expected-error @+1 {{uses two buffers that overlap, one of them to write}}
    plan.launch @k reads() writes(%l, %m) : () -> (tensor<8x64xf32>, tensor<8x8xf32>)
  }
}

// -----

// The wait of the second stream for what it reads is missing.
module {
  plan.allocation @gradients category(gradients) bytes(1024)
  plan.allocation @activations category(activations) bytes(8192)
  plan.code_object @code format(cubin) arch("sm_90") data("x")
  plan.kernel @k "k" code_object(@code)
  plan.program @train_8 kind(train) tokens(8) sequences(2) streams(2) {
    %x = plan.buffer in @activations at 0 : tensor<4x4xf32>
    %y = plan.buffer in @activations at 256 : tensor<4x4xf32>
    %g = plan.buffer in @gradients at 0 : tensor<4x4xf32>
    %h = plan.buffer in @gradients at 64 : tensor<4x4xf32>
    %all = plan.buffer in @gradients at 0 : tensor<256xf32>
    plan.fill %x with 1.0 : tensor<4x4xf32>
    // expected-error @+1 {{uses bytes 0 to 64 of @activations while step 0 of another stream may write them}}
    plan.gemm %x, %x into %g m(4) n(4) k(4) lda(4) ldb(4) ldd(4) stream(1) : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
  }
}

// -----

// The main stream reads the gradients without waiting for the last product.
module {
  plan.allocation @gradients category(gradients) bytes(1024)
  plan.allocation @activations category(activations) bytes(8192)
  plan.code_object @code format(cubin) arch("sm_90") data("x")
  plan.kernel @k "k" code_object(@code)
  plan.program @train_8 kind(train) tokens(8) sequences(2) streams(2) {
    %x = plan.buffer in @activations at 0 : tensor<4x4xf32>
    %y = plan.buffer in @activations at 256 : tensor<4x4xf32>
    %g = plan.buffer in @gradients at 0 : tensor<4x4xf32>
    %h = plan.buffer in @gradients at 64 : tensor<4x4xf32>
    %all = plan.buffer in @gradients at 0 : tensor<256xf32>
    plan.fill %x with 1.0 : tensor<4x4xf32>
    plan.gemm %x, %x into %g m(4) n(4) k(4) lda(4) ldb(4) ldd(4) stream(1) waits [0] : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
    plan.gemm %x, %x into %h m(4) n(4) k(4) lda(4) ldb(4) ldd(4) stream(1) : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
    // expected-error @+1 {{uses bytes 0 to 1024 of @gradients while step 2 of another stream may write them}}
    plan.launch @k reads(%all) writes(%y) waits [1] : (tensor<256xf32>) -> tensor<4x4xf32>
  }
}

// -----

// The main stream overwrites what the second one still reads.
module {
  plan.allocation @gradients category(gradients) bytes(1024)
  plan.allocation @activations category(activations) bytes(8192)
  plan.code_object @code format(cubin) arch("sm_90") data("x")
  plan.kernel @k "k" code_object(@code)
  plan.program @train_8 kind(train) tokens(8) sequences(2) streams(2) {
    %x = plan.buffer in @activations at 0 : tensor<4x4xf32>
    %y = plan.buffer in @activations at 256 : tensor<4x4xf32>
    %g = plan.buffer in @gradients at 0 : tensor<4x4xf32>
    %h = plan.buffer in @gradients at 64 : tensor<4x4xf32>
    %all = plan.buffer in @gradients at 0 : tensor<256xf32>
    plan.fill %x with 1.0 : tensor<4x4xf32>
    plan.gemm %x, %x into %g m(4) n(4) k(4) lda(4) ldb(4) ldd(4) stream(1) waits [0] : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
    // expected-error @+1 {{uses bytes 0 to 64 of @activations while step 1 of another stream may read them}}
    plan.fill %x with 1.0 : tensor<4x4xf32>
  }
}

// -----

// So does another buffer in the same bytes, from the middle on.
module {
  plan.allocation @gradients category(gradients) bytes(1024)
  plan.allocation @activations category(activations) bytes(8192)
  plan.code_object @code format(cubin) arch("sm_90") data("x")
  plan.kernel @k "k" code_object(@code)
  plan.program @train_8 kind(train) tokens(8) sequences(2) streams(2) {
    %x = plan.buffer in @activations at 0 : tensor<4x4xf32>
    %y = plan.buffer in @activations at 256 : tensor<4x4xf32>
    %g = plan.buffer in @gradients at 0 : tensor<4x4xf32>
    %h = plan.buffer in @gradients at 64 : tensor<4x4xf32>
    %all = plan.buffer in @gradients at 0 : tensor<256xf32>
    %z = plan.buffer in @activations at 32 : tensor<4x4xf32>
    plan.fill %x with 1.0 : tensor<4x4xf32>
    plan.gemm %x, %x into %g m(4) n(4) k(4) lda(4) ldb(4) ldd(4) stream(1) waits [0] : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
    // expected-error @+1 {{uses bytes 32 to 96 of @activations while step 1 of another stream may read them}}
    plan.fill %z with 1.0 : tensor<4x4xf32>
  }
}

// -----

// Two streams write the same gradient.
module {
  plan.allocation @gradients category(gradients) bytes(1024)
  plan.allocation @activations category(activations) bytes(8192)
  plan.code_object @code format(cubin) arch("sm_90") data("x")
  plan.kernel @k "k" code_object(@code)
  plan.program @train_8 kind(train) tokens(8) sequences(2) streams(2) {
    %x = plan.buffer in @activations at 0 : tensor<4x4xf32>
    %y = plan.buffer in @activations at 256 : tensor<4x4xf32>
    %g = plan.buffer in @gradients at 0 : tensor<4x4xf32>
    %h = plan.buffer in @gradients at 64 : tensor<4x4xf32>
    %all = plan.buffer in @gradients at 0 : tensor<256xf32>
    plan.fill %x with 1.0 : tensor<4x4xf32>
    plan.fill %g with 0.0 : tensor<4x4xf32>
    // expected-error @+1 {{uses bytes 0 to 64 of @gradients while step 1 of another stream may write them}}
    plan.gemm %x, %x into %g m(4) n(4) k(4) lda(4) ldb(4) ldd(4) stream(1) waits [0] : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
  }
}

// -----

// Three streams: stream 2 has waited for stream 1 before that had waited for step 0.
module {
  plan.allocation @gradients category(gradients) bytes(1024)
  plan.allocation @activations category(activations) bytes(8192)
  plan.code_object @code format(cubin) arch("sm_90") data("x")
  plan.kernel @k "k" code_object(@code)
  plan.program @train_8 kind(train) tokens(8) sequences(2) streams(3) {
    %x = plan.buffer in @activations at 0 : tensor<4x4xf32>
    %y = plan.buffer in @activations at 256 : tensor<4x4xf32>
    %g = plan.buffer in @gradients at 0 : tensor<4x4xf32>
    %h = plan.buffer in @gradients at 64 : tensor<4x4xf32>
    %all = plan.buffer in @gradients at 0 : tensor<256xf32>
    %z = plan.buffer in @activations at 512 : tensor<4x4xf32>
    plan.fill %y with 1.0 stream(1) : tensor<4x4xf32>
    plan.fill %x with 1.0 : tensor<4x4xf32>
    plan.copy %x to %z stream(1) waits [1] : tensor<4x4xf32>, tensor<4x4xf32>
    // expected-error @+1 {{uses bytes 0 to 64 of @activations while step 1 of another stream may write them}}
    plan.gemm %x, %x into %g m(4) n(4) k(4) lda(4) ldb(4) ldd(4) stream(2) waits [0] : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
  }
}
