// The pass moves steps or leaves them; it cannot fail. It starts from one stream: a
// plan that has more is told by the verifier after it.
// RUN: llama-opt %s --memory-assign-streams --memory-plan-buffers --memory-verify -split-input-file -verify-diagnostics

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
