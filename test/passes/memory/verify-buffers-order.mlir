// Panels and streams in an order that holds.
// RUN: llama-opt %s --memory-verify -split-input-file | FileCheck %s

// CHECK-COUNT-2: plan.program @train_8
// A matrix is there when all its panels are, in any order; a step may write the
// panel it reads, or another panel of the same matrix; a panel that is read needs the
// others not.
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
    plan.launch @k reads() writes(%r) : () -> tensor<8x8xf32>
    plan.launch @k reads(%r) writes(%l) : (tensor<8x8xf32>) -> tensor<8x64xf32>
    plan.launch @k reads(%l) writes(%l) : (tensor<8x64xf32>) -> tensor<8x64xf32>
    plan.copy %x to %y : tensor<8x72xf32>, tensor<8x72xf32>
    plan.launch @k reads(%l) writes(%yl) : (tensor<8x64xf32>) -> tensor<8x64xf32>
  }
}

// -----

// Order through a third stream: 0 before 1, 1 before 2 and so 0 before 2. A wait for
// a later step of a stream is one for all before it. Two streams may read at once.
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
    plan.fill %x with 1.0 : tensor<4x4xf32>
    plan.copy %x to %y stream(1) waits [0] : tensor<4x4xf32>, tensor<4x4xf32>
    plan.gemm %x, %x into %g m(4) n(4) k(4) lda(4) ldb(4) ldd(4) stream(2) waits [1] : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
    plan.gemm %x, %x into %h m(4) n(4) k(4) lda(4) ldb(4) ldd(4) stream(2) : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
    plan.gemm %x, %x into %y m(4) n(4) k(4) lda(4) ldb(4) ldd(4) waits [1] : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
    plan.launch @k reads(%all) writes(%x) waits [3] : (tensor<256xf32>) -> tensor<4x4xf32>
  }
}
