// A llamac that was built without nvcc says so.
// UNSUPPORTED: nvcc
// RUN: llama-opt %s --codegen-select-library-kernels -verify-diagnostics

module {
  plan.allocation @parameters category(parameters) bytes(8192)
  plan.allocation @constants category(constants) bytes(256)
  plan.allocation @weights category(weights) bytes(65536)
  plan.kernel @fold_into_0 "fold_into" {
  ^bb0(%p: tensor<2x1024xf32>, %t: tensor<4x6xi64>):
    %w = llm.fold_into %p, %t : (tensor<2x1024xf32>, tensor<4x6xi64>) -> tensor<16384xbf16>
  }
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    %params = plan.buffer in @parameters at 0 : tensor<2x1024xf32>
    %table = plan.buffer in @constants at 0 : tensor<4x6xi64>
    %w = plan.buffer in @weights at 0 : tensor<16384xbf16>
    // expected-error @+1 {{this llamac was built without nvcc and has no CUDA kernels: cannot compile 'fold_factors_bf16' for cuda}}
    plan.launch @fold_into_0 reads(%params, %table) writes(%w) scalars [4] grid [2, 1, 1] : (tensor<2x1024xf32>, tensor<4x6xi64>) -> tensor<16384xbf16>
  }
}
