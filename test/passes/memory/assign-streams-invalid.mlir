// The pass moves steps or leaves them; it cannot fail. It starts from one stream: a
// plan that has more is told by the verifier after it. So is one whose gradients are
// written through a buffer that it does not know to be the same bytes.
// RUN: llama-opt %s --memory-assign-streams --memory-plan-buffers --memory-verify -split-input-file -verify-diagnostics

module {
  plan.allocation @gradients category(gradients) bytes(1024)
  plan.allocation @activations category(activations) bytes(0)
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    %x = plan.buffer in @activations : tensor<4x4xf32>
    %g = plan.buffer in @gradients at 64 : tensor<4x4xf32>
    %all = plan.buffer in @gradients at 0 : tensor<256xf32>
    plan.fill %x with 1.0 : tensor<4x4xf32>
    plan.fill %all with 0.0 : tensor<256xf32>
    // expected-error @+1 {{uses bytes 64 to 128 of @gradients while step 1 of another stream may write them}}
    plan.gemm %x, %x into %g m(4) n(4) k(4) lda(4) ldb(4) ldd(4) beta 1.0 : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
  }
}

// -----

module {
  plan.allocation @gradients category(gradients) bytes(1024)
  plan.allocation @activations category(activations) bytes(0)
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    %x = plan.buffer in @activations : tensor<4x4xf32>
    %y = plan.buffer in @activations : tensor<4x4xf32>
    plan.fill %x with 1.0 : tensor<4x4xf32>
    // expected-error @+1 {{waits for step 0 of its own stream}}
    plan.copy %x to %y waits [0] : tensor<4x4xf32>, tensor<4x4xf32>
  }
}
