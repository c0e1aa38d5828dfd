// A body without a form for GPUs is told where the sum is looked at.
// RUN: llama-opt %s --codegen-sum-in-kernels -verify-diagnostics

#rc = affine_map<(r, c) -> (r, c)>
module attributes {plan.grid = [#plan.axis<name = "dp", size = 1>, #plan.axis<name = "tp", size = 2>]} {
  plan.allocation @activations category(activations) bytes(0)
  plan.kernel @double_0 "double, 64 columns" {
  ^bb0(%a: tensor<8x64xbf16>):
    %y = llm.rowwise rows(8) cols(64) ins(%a : tensor<8x64xbf16>)
        maps [#rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<8x64xbf16>) {
    ^bb0(%x: bf16):
      // expected-error @+1 {{'arith.addf' op has type 'bf16': GPU kernels compute in f32 and f64}}
      %s = arith.addf %x, %x : bf16
      llm.yield %s : bf16
    }
  }
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    %x = plan.buffer in @activations : tensor<8x64xbf16>
    plan.fill %x with 1.0 : tensor<8x64xbf16>
    plan.collective all_reduce_sum axes [1] %x to %x : tensor<8x64xbf16>, tensor<8x64xbf16>
    plan.launch @double_0 reads(%x) writes(%x) grid [8, 1, 1] : (tensor<8x64xbf16>) -> tensor<8x64xbf16>
  }
}
