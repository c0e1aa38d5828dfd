// The pass converts types, not data: model files carry none. The verifier sees
// the contradiction.
// RUN: llama-opt %s --graph-convert-precision -split-input-file -verify-diagnostics

func.func @f() -> tensor<1xbf16> {
  // expected-error @+1 {{'llm.constant' op value is 'tensor<1xbf16>' but the result is 'tensor<1xf32>'}}
  %c = llm.constant dense<1.5> : tensor<1xbf16> : tensor<1xbf16>
  return %c : tensor<1xbf16>
}
