// Plans that would compute with somebody else's bytes.
// RUN: llama-opt %s --memory-verify -split-input-file -verify-diagnostics

// Bytes 1024 to 2048 are both buffers'.
module {
  plan.allocation @activations category(activations) bytes(8192)
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    // expected-note @+1 {{the buffer is at bytes 0 to 2048}}
    %x = plan.buffer in @activations at 0 : tensor<512xf32>
    %y = plan.buffer in @activations at 1024 : tensor<256xf32>
    %z = plan.buffer in @activations at 4096 : tensor<512xf32>
    plan.fill %x with 0.0 : tensor<512xf32>
    plan.fill %y with 0.0 : tensor<256xf32>
    // expected-error @+1 {{reads a buffer that is not wholly written}}
    plan.copy %x to %z : tensor<512xf32>, tensor<512xf32>
  }
}

// -----

// %y took all of %x.
module {
  plan.allocation @activations category(activations) bytes(8192)
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    // expected-note @+1 {{the buffer is at bytes 0 to 2048}}
    %x = plan.buffer in @activations at 0 : tensor<512xf32>
    %y = plan.buffer in @activations at 0 : tensor<1024xf32>
    %z = plan.buffer in @activations at 4096 : tensor<512xf32>
    plan.fill %x with 0.0 : tensor<512xf32>
    plan.fill %y with 0.0 : tensor<1024xf32>
    // expected-error @+1 {{reads a buffer that another has overwritten}}
    plan.copy %x to %z : tensor<512xf32>, tensor<512xf32>
  }
}

// -----

// Nobody wrote it.
module {
  plan.allocation @activations category(activations) bytes(8192)
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    // expected-note @+1 {{the buffer is at bytes 0 to 2048}}
    %x = plan.buffer in @activations at 0 : tensor<512xf32>
    %z = plan.buffer in @activations at 4096 : tensor<512xf32>
    // expected-error @+1 {{reads a buffer that is not wholly written}}
    plan.copy %x to %z : tensor<512xf32>, tensor<512xf32>
  }
}

// -----

// A product that accumulates reads its target.
module {
  plan.allocation @activations category(activations) bytes(8192)
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    %x = plan.buffer in @activations at 0 : tensor<4x4xf32>
    // expected-note @+1 {{the buffer is at bytes 256 to 320}}
    %d = plan.buffer in @activations at 256 : tensor<4x4xf32>
    plan.fill %x with 0.0 : tensor<4x4xf32>
    // expected-error @+1 {{reads a buffer that is not wholly written}}
    plan.gemm %x, %x into %d m(4) n(4) k(4) lda(4) ldb(4) ldd(4) beta 1.0 : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
  }
}

// -----

// An output must hold to the end.
module {
  plan.allocation @activations category(activations) bytes(8192)
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    // expected-note @+1 {{the buffer is at bytes 0 to 2048}}
    %x = plan.buffer in @activations at 0 : tensor<512xf32>
    %y = plan.buffer in @activations at 0 : tensor<512xf32>
    plan.fill %x with 0.0 : tensor<512xf32>
    plan.fill %y with 0.0 : tensor<512xf32>
    // expected-error @+1 {{reads a buffer that another has overwritten}}
    plan.output "x" %x : tensor<512xf32>
  }
}

// -----

// One step's source and target overlap.
module {
  plan.allocation @activations category(activations) bytes(8192)
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    %x = plan.buffer in @activations at 0 : tensor<512xf32>
    %y = plan.buffer in @activations at 1024 : tensor<512xf32>
    plan.fill %x with 0.0 : tensor<512xf32>
    // expected-error @+1 {{uses two buffers that overlap, one of them to write}}
    plan.copy %x to %y : tensor<512xf32>, tensor<512xf32>
  }
}

// -----

// Two results of one step overlap.
module {
  plan.allocation @activations category(activations) bytes(8192)
  plan.code_object @code format(elf) arch("x86-64-v3") data("\7FELF")
  plan.kernel @two "two" code_object(@code)
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    %x = plan.buffer in @activations at 0 : tensor<512xf32>
    %y = plan.buffer in @activations at 2044 : tensor<512xf32>
    // expected-error @+1 {{uses two buffers that overlap, one of them to write}}
    plan.launch @two reads() writes(%x, %y) : () -> (tensor<512xf32>, tensor<512xf32>)
  }
}

// -----

// Nobody planned it.
module {
  plan.allocation @activations category(activations) bytes(8192)
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    // expected-error @+1 {{'plan.buffer' op has no offset}}
    %x = plan.buffer in @activations : tensor<512xf32>
    plan.fill %x with 0.0 : tensor<512xf32>
  }
}
