// Shapes that no kernel takes. (Code is looked for only where there is a launch for
// it, so this needs no nvcc.)
// RUN: llama-opt %s --codegen-select-library-kernels -split-input-file -verify-diagnostics

module {
  plan.allocation @activations category(activations) bytes(0)
  plan.kernel @attention_0 "attention" {
  ^bb0(%q: tensor<8x1024xbf16>, %k: tensor<8x512xbf16>, %v: tensor<8x512xbf16>, %cu: tensor<3xi32>):
    %o, %lse = llm.attention %q, %k, %v, %cu heads(2) kv_heads(1) scale 1.25e-01
      : (tensor<8x1024xbf16>, tensor<8x512xbf16>, tensor<8x512xbf16>, tensor<3xi32>) -> (tensor<8x1024xbf16>, tensor<8x2xf32>)
  }
  plan.program @evaluate_8 kind(evaluate) tokens(8) sequences(2) {
    %q = plan.buffer in @activations : tensor<8x1024xbf16>
    %k = plan.buffer in @activations : tensor<8x512xbf16>
    %cu = plan.buffer in @activations : tensor<3xi32>
    %lse = plan.buffer in @activations : tensor<8x2xf32>
    // expected-error @+1 {{'plan.launch' op no CUDA kernel does attention of head size 512, 2 heads, 1 kv_heads and 8 tokens}}
    plan.launch @attention_0 reads(%q, %k, %k, %cu) writes(%q, %lse) scalars [8, 2] grid [2, 1, 1]
      : (tensor<8x1024xbf16>, tensor<8x512xbf16>, tensor<8x512xbf16>, tensor<3xi32>) -> (tensor<8x1024xbf16>, tensor<8x2xf32>)
  }
}

// -----

module {
  plan.allocation @activations category(activations) bytes(0)
  plan.kernel @attention_grad_0 "attention_grad" {
  ^bb0(%q: tensor<8x1024xf32>, %k: tensor<8x512xf32>, %v: tensor<8x512xf32>, %cu: tensor<3xi32>, %o: tensor<8x1024xf32>, %lse: tensor<8x2xf32>, %do: tensor<8x1024xf32>):
    %dq, %dk, %dv = llm.attention_grad %q, %k, %v, %cu, %o, %lse, %do heads(2) kv_heads(1) scale 1.25e-01
      : (tensor<8x1024xf32>, tensor<8x512xf32>, tensor<8x512xf32>, tensor<3xi32>, tensor<8x1024xf32>, tensor<8x2xf32>, tensor<8x1024xf32>)
        -> (tensor<8x1024xf32>, tensor<8x512xf32>, tensor<8x512xf32>)
  }
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    %q = plan.buffer in @activations : tensor<8x1024xf32>
    %k = plan.buffer in @activations : tensor<8x512xf32>
    %cu = plan.buffer in @activations : tensor<3xi32>
    %lse = plan.buffer in @activations : tensor<8x2xf32>
    // expected-error @+1 {{no CUDA kernel does attention of head size 512}}
    plan.launch @attention_grad_0 reads(%q, %k, %k, %cu, %q, %lse, %q) writes(%q, %k, %k) scalars [8, 2] grid [2, 1, 1]
      : (tensor<8x1024xf32>, tensor<8x512xf32>, tensor<8x512xf32>, tensor<3xi32>, tensor<8x1024xf32>, tensor<8x2xf32>, tensor<8x1024xf32>) -> (tensor<8x1024xf32>, tensor<8x512xf32>, tensor<8x512xf32>)
  }
}
