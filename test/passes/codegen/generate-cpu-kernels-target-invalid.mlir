// RUN: llama-opt %s --codegen-generate-cpu-kernels=cpu=x86-64-v2 --verify-diagnostics

// expected-error @below {{unknown CPU target 'x86-64-v2': x86-64-v3, x86-64-v4 and native are known}}
module {
  plan.kernel @copy "copy" {
  ^bb0(%a: tensor<4x20xf32>):
    %y = llm.rowwise rows(4) cols(20) ins(%a : tensor<4x20xf32>)
        maps [affine_map<(r, c) -> (r, c)>] indexed_by [-1]
        outs [0] at [affine_map<(r, c) -> (r, c)>] -> (tensor<4x20xf32>) {
    ^bb0(%x: f32):
      llm.yield %x : f32
    }
  }
}
