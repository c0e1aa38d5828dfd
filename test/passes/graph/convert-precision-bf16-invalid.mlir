// Data are not rounded at compile time, either; and there is no third precision.
// RUN: llama-opt %s --graph-convert-precision=compute=bf16 -split-input-file -verify-diagnostics
// RUN: not llama-opt %s --graph-convert-precision=compute=f16 -split-input-file 2>&1 | FileCheck %s

// CHECK: error: compute is 'f16', not f32 or bf16
func.func @f() -> tensor<1xf32> {
  // expected-error @+1 {{'llm.constant' op value is 'tensor<1xf32>' but the result is 'tensor<1xbf16>'}}
  %c = llm.constant dense<1.5> : tensor<1xf32> : tensor<1xf32>
  return %c : tensor<1xf32>
}
