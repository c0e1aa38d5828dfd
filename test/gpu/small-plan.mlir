// The whole way to a GPU in one plan: a cuBLASLt GEMM and generated row kernels
// on two streams, captured in a CUDA graph. GpuPlanTest.cpp knows its numbers
// and runs it where there is a GPU; here it is compiled and verified.
// RUN: llama-opt %s --codegen-generate-gpu-kernels=format=ptx -o %t.mlir
// RUN: FileCheck %s < %t.mlir
// RUN: llamac %t.mlir -o %t.fb
// RUN: llamarun inspect %t.fb | FileCheck %s --check-prefix=INSPECT

// CHECK: plan.code_object @gpu_kernels format(ptx) arch("sm_90")
// CHECK: plan.kernel @norm "{{.*}}" code_object(@gpu_kernels)
// A launch that waits for another stream does not begin early.
// CHECK: plan.launch @norm {{.*}} scalars [48] grid [12, 1, 1] block [128, 1, 1] waits [1]
// CHECK: plan.launch @log_sum_exp {{.*}} scalars [48] grid [12, 1, 1] block [128, 1, 1] programmatic
// INSPECT: cuda

#model = #llm.model<name = "gpu", hidden = 192, intermediate = 96, layers = 1, heads = 4,
                    kv_heads = 2, head_dim = 48, vocab = 128, max_positions = 64, tied_embeddings = true>
#task = #llm.task<name = "gpu", head = classification, labels = 640, batch = 48, max_length = 64, accumulation = 1>
#adapter = #llm.adapter<kind = "none", rank = 0, alpha = 0.0 : f64, dropout = 0.0 : f64, use_rslora = false,
                        targets = [], targets_is_regex = false, modules = [], rank_pattern = {}, alpha_pattern = {}>
#rc = affine_map<(r, c) -> (r, c)>
#c = affine_map<(r, c) -> (c)>
#r = affine_map<(r, c) -> (r)>

module attributes {
  llm.level = "plan", llm.model = #model, llm.task = #task, llm.adapter = #adapter,
  plan.grid = [], plan.target = #plan.target<kind = "cuda", arch = "sm_90", features = "">,
  plan.flags = "", plan.model_hash = "small-plan"
} {
  plan.allocation @weights category(weights) bytes(530944)
  plan.allocation @inputs category(inputs) bytes(1024)
  plan.allocation @outputs category(outputs) bytes(122880)
  plan.allocation @activations category(activations) bytes(371456)
  plan.allocation @workspace category(workspace) bytes(4194304)
  plan.tensor "a" role(weight) in @weights at 0 : tensor<48x192xf32> init(checkpoint)
  plan.tensor "b" role(weight) in @weights at 36864 : tensor<640x192xf32> init(checkpoint)
  plan.tensor "norm" role(weight) in @weights at 528384 : tensor<640xf32> init(checkpoint)

  plan.kernel @norm "rms_norm times gain, 640 columns" {
  ^bb0(%h: tensor<48x640xf32>, %w: tensor<640xf32>, %gain: tensor<640xf32>):
    %y = llm.rowwise rows(48) cols(640) ins(%h, %w, %gain : tensor<48x640xf32>, tensor<640xf32>, tensor<640xf32>)
        maps [#rc, #c, #c] indexed_by [-1, -1, -1] outs [0] at [#rc] -> (tensor<48x640xf32>) {
    ^bb0(%x: f32, %s: f32, %g: f32):
      %n = arith.constant 640.0 : f32
      %eps = arith.constant 1.0e-5 : f32
      %square = arith.mulf %x, %x : f32
      %sum = llm.row_reduce add %square : f32
      %mean = arith.divf %sum, %n : f32
      %shifted = arith.addf %mean, %eps : f32
      %root = math.rsqrt %shifted : f32
      %unit = arith.mulf %x, %root : f32
      %scaled = arith.mulf %unit, %s : f32
      %result = arith.mulf %scaled, %g : f32
      llm.yield %result : f32
    }
  }
  // Two reductions, one after the other; the second in f64. One value a row.
  plan.kernel @log_sum_exp "log of the sum of exp, 640 columns" {
  ^bb0(%y: tensor<48x640xf32>):
    %l = llm.rowwise rows(48) cols(640) ins(%y : tensor<48x640xf32>)
        maps [#rc] indexed_by [-1] outs [0] at [#r] -> (tensor<48xf32>) {
    ^bb0(%x: f32):
      %most = llm.row_reduce max %x : f32
      %below = arith.subf %x, %most : f32
      %e = math.exp %below : f32
      %wide = arith.extf %e : f32 to f64
      %sum = llm.row_reduce add %wide : f64
      %narrow = arith.truncf %sum : f64 to f32
      %log = math.log %narrow : f32
      %result = arith.addf %log, %most : f32
      llm.yield %result : f32
    }
  }
  plan.kernel @subtract "row minus a scalar, 640 columns" {
  ^bb0(%y: tensor<48x640xf32>, %l: tensor<48xf32>):
    %z = llm.rowwise rows(48) cols(640) ins(%y, %l : tensor<48x640xf32>, tensor<48xf32>)
        maps [#rc, #r] indexed_by [-1, -1] outs [0] at [#rc] -> (tensor<48x640xf32>) {
    ^bb0(%x: f32, %s: f32):
      %d = arith.subf %x, %s : f32
      llm.yield %d : f32
    }
  }

  // logits = log_softmax(rms_norm(a b^T) * norm * 1.5)
  plan.program @evaluate_64 kind(evaluate) tokens(64) sequences(48) streams(2)
      activation_bytes(371456) flops(11796480) bytes(1000000) {
    %ids = plan.buffer in @inputs at 0 : tensor<64xi32>
    %pos = plan.buffer in @inputs at 256 : tensor<64xi32>
    %cu = plan.buffer in @inputs at 512 : tensor<49xi32>
    %a = plan.buffer in @weights at 0 : tensor<48x192xf32>
    %b = plan.buffer in @weights at 36864 : tensor<640x192xf32>
    %w = plan.buffer in @weights at 528384 : tensor<640xf32>
    %h = plan.buffer in @activations at 0 : tensor<48x640xf32>
    %y = plan.buffer in @activations at 122880 : tensor<48x640xf32>
    %z = plan.buffer in @activations at 245760 : tensor<48x640xf32>
    %l = plan.buffer in @activations at 368640 : tensor<48xf32>
    %gain = plan.buffer in @activations at 368896 : tensor<640xf32>
    %logits = plan.buffer in @outputs at 0 : tensor<48x640xf32>
    plan.input "input_ids" %ids : tensor<64xi32>
    plan.input "positions" %pos : tensor<64xi32>
    plan.input "cu_seqlens" %cu : tensor<49xi32>
    plan.gemm %a, %b transpose_b into %h m(48) n(640) k(192) lda(192) ldb(192) ldd(640)
      : tensor<48x192xf32>, tensor<640x192xf32>, tensor<48x640xf32>
    plan.fill %gain with 1.500000e+00 stream(1) : tensor<640xf32>
    plan.launch @norm reads(%h, %w, %gain) writes(%y) grid [48, 1, 1] waits [1]
      : (tensor<48x640xf32>, tensor<640xf32>, tensor<640xf32>) -> tensor<48x640xf32>
    plan.launch @log_sum_exp reads(%y) writes(%l) grid [48, 1, 1] : (tensor<48x640xf32>) -> tensor<48xf32>
    plan.launch @subtract reads(%y, %l) writes(%z) grid [48, 1, 1]
      : (tensor<48x640xf32>, tensor<48xf32>) -> tensor<48x640xf32>
    plan.copy %z to %logits stream(1) waits [4] : tensor<48x640xf32>, tensor<48x640xf32>
    plan.output "logits" %logits : tensor<48x640xf32>
  }
}
