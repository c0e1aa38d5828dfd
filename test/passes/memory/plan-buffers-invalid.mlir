// The planner cannot fail. What cannot be placed at all is refused before it.
// RUN: llama-opt %s --memory-plan-buffers -split-input-file -verify-diagnostics

module {
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    // expected-error @+1 {{'plan.buffer' op @activations is not a plan.allocation}}
    %a = plan.buffer in @activations : tensor<8xf32>
  }
}

// -----

module {
  plan.allocation @activations category(activations) bytes(0)
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    // expected-error @+1 {{'plan.buffer' op is empty, above 2^47 bytes or of rank above 8}}
    %a = plan.buffer in @activations : tensor<1099511627776x1024xf32>
  }
}
