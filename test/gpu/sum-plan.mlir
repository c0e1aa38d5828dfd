// Sums of terms of two GPUs that row kernels take, of several sizes one after the
// other. GpuSumTest.cpp knows its numbers and runs it where there are two GPUs;
// here it is compiled and verified.
// RUN: llama-opt %s --codegen-sum-in-kernels --codegen-generate-gpu-kernels=format=ptx -o %t.mlir
// RUN: FileCheck %s < %t.mlir
// RUN: llamac %t.mlir -o %t.fb
// RUN: llamarun inspect %t.fb | FileCheck %s --check-prefix=INSPECT

// CHECK-DAG: plan.kernel @halves_sum0 "{{.*}}" code_object(@gpu_kernels) sums [0, 2]
// CHECK-DAG: plan.kernel @floats_sum1 "{{.*}}" code_object(@gpu_kernels) sums [1, 2]
// CHECK: plan.collective all_reduce_sum axes [1] {{.*}} in_kernel
// CHECK-NEXT: plan.launch @halves_sum0 {{.*}} scalars [15] grid [8, 1, 1] block [128, 1, 1] programmatic sums(0)
// CHECK-NEXT: plan.collective all_reduce_sum axes [1] {{.*}} in_kernel
// CHECK-NEXT: plan.launch @floats_sum1 {{.*}} scalars [15] grid [8, 1, 1] block [128, 1, 1] programmatic sums(1)
// INSPECT: grid dp=1 x tp=2
// INSPECT: 2 collective
// INSPECT: all_reduce sum over tp (2), bf16

#model = #llm.model<name = "gpu", hidden = 192, intermediate = 96, layers = 1, heads = 4,
                    kv_heads = 2, head_dim = 48, vocab = 128, max_positions = 256, tied_embeddings = true>
#task = #llm.task<name = "gpu", head = classification, labels = 2, batch = 4, max_length = 64, accumulation = 1>
#adapter = #llm.adapter<kind = "none", rank = 0, alpha = 0.0 : f64, dropout = 0.0 : f64, use_rslora = false,
                        targets = [], targets_is_regex = false, modules = [], rank_pattern = {}, alpha_pattern = {}>
#rc = affine_map<(r, c) -> (r, c)>

module attributes {
  llm.level = "plan", llm.model = #model, llm.task = #task, llm.adapter = #adapter,
  plan.grid = [#plan.axis<name = "dp", size = 1>, #plan.axis<name = "tp", size = 2>],
  plan.target = #plan.target<kind = "cuda", arch = "sm_90", features = "">,
  plan.flags = "", plan.model_hash = "sum-plan"
} {
  plan.allocation @weights category(weights) bytes(2350080)
  plan.allocation @inputs category(inputs) bytes(2560)
  plan.allocation @outputs category(outputs) bytes(256)
  plan.tensor "halves" role(weight) in @weights at 0 : tensor<255x512xbf16> init(checkpoint)
  plan.tensor "floats" role(weight) in @weights at 261120 : tensor<255x512xf32> init(checkpoint)
  plan.tensor "x" role(weight) in @weights at 783360 : tensor<255x512xf32> init(checkpoint)
  plan.tensor "ofHalves" role(weight) in @weights at 1305600 : tensor<255x512xf32> init(checkpoint)
  plan.tensor "ofFloats" role(weight) in @weights at 1827840 : tensor<255x512xf32> init(checkpoint)

  // x + y + the sum of the row of y. Two rows of 64 threads to a block.
  plan.kernel @halves "sum of bf16, 512 columns" {
  ^bb0(%a: tensor<15x512xbf16>, %b: tensor<15x512xf32>):
    %o = llm.rowwise rows(15) cols(512) ins(%a, %b : tensor<15x512xbf16>, tensor<15x512xf32>)
        maps [#rc, #rc] indexed_by [-1, -1] outs [0] at [#rc] -> (tensor<15x512xf32>) {
    ^bb0(%h: bf16, %x: f32):
      %y = arith.extf %h : bf16 to f32
      %total = llm.row_reduce add %y : f32
      %s = arith.addf %x, %y : f32
      %t = arith.addf %s, %total : f32
      llm.yield %t : f32
    }
  }
  plan.kernel @floats "sum of f32, 512 columns" {
  ^bb0(%b: tensor<15x512xf32>, %a: tensor<15x512xf32>):
    %o = llm.rowwise rows(15) cols(512) ins(%b, %a : tensor<15x512xf32>, tensor<15x512xf32>)
        maps [#rc, #rc] indexed_by [-1, -1] outs [0] at [#rc] -> (tensor<15x512xf32>) {
    ^bb0(%x: f32, %y: f32):
      %total = llm.row_reduce add %y : f32
      %s = arith.addf %x, %y : f32
      %t = arith.addf %s, %total : f32
      llm.yield %t : f32
    }
  }

  plan.program @evaluate_16 kind(evaluate) tokens(16) sequences(4) activation_bytes(0) flops(1) bytes(1) {
    %ids = plan.buffer in @inputs at 0 : tensor<16xi32>
    %pos = plan.buffer in @inputs at 1024 : tensor<16xi32>
    %cu = plan.buffer in @inputs at 2048 : tensor<5xi32>
    %h = plan.buffer in @weights at 0 : tensor<15x512xbf16>
    %f = plan.buffer in @weights at 261120 : tensor<15x512xf32>
    %x = plan.buffer in @weights at 783360 : tensor<15x512xf32>
    %oh = plan.buffer in @weights at 1305600 : tensor<15x512xf32>
    %of = plan.buffer in @weights at 1827840 : tensor<15x512xf32>
    %logits = plan.buffer in @outputs at 0 : tensor<4x2xf32>
    plan.input "input_ids" %ids : tensor<16xi32>
    plan.input "positions" %pos : tensor<16xi32>
    plan.input "cu_seqlens" %cu : tensor<5xi32>
    plan.collective all_reduce_sum axes [1] %h to %h : tensor<15x512xbf16>, tensor<15x512xbf16>
    plan.launch @halves reads(%h, %x) writes(%oh) grid [15, 1, 1]
      : (tensor<15x512xbf16>, tensor<15x512xf32>) -> tensor<15x512xf32>
    plan.collective all_reduce_sum axes [1] %f to %f : tensor<15x512xf32>, tensor<15x512xf32>
    plan.launch @floats reads(%x, %f) writes(%of) grid [15, 1, 1]
      : (tensor<15x512xf32>, tensor<15x512xf32>) -> tensor<15x512xf32>
    plan.fill %logits with 0.0 : tensor<4x2xf32>
    plan.output "logits" %logits : tensor<4x2xf32>
  }

  plan.program @evaluate_64 kind(evaluate) tokens(64) sequences(4) activation_bytes(0) flops(1) bytes(1) {
    %ids = plan.buffer in @inputs at 0 : tensor<64xi32>
    %pos = plan.buffer in @inputs at 1024 : tensor<64xi32>
    %cu = plan.buffer in @inputs at 2048 : tensor<5xi32>
    %h = plan.buffer in @weights at 0 : tensor<63x512xbf16>
    %f = plan.buffer in @weights at 261120 : tensor<63x512xf32>
    %x = plan.buffer in @weights at 783360 : tensor<63x512xf32>
    %oh = plan.buffer in @weights at 1305600 : tensor<63x512xf32>
    %of = plan.buffer in @weights at 1827840 : tensor<63x512xf32>
    %logits = plan.buffer in @outputs at 0 : tensor<4x2xf32>
    plan.input "input_ids" %ids : tensor<64xi32>
    plan.input "positions" %pos : tensor<64xi32>
    plan.input "cu_seqlens" %cu : tensor<5xi32>
    plan.collective all_reduce_sum axes [1] %h to %h : tensor<63x512xbf16>, tensor<63x512xbf16>
    plan.launch @halves reads(%h, %x) writes(%oh) grid [63, 1, 1]
      : (tensor<63x512xbf16>, tensor<63x512xf32>) -> tensor<63x512xf32>
    plan.collective all_reduce_sum axes [1] %f to %f : tensor<63x512xf32>, tensor<63x512xf32>
    plan.launch @floats reads(%x, %f) writes(%of) grid [63, 1, 1]
      : (tensor<63x512xf32>, tensor<63x512xf32>) -> tensor<63x512xf32>
    plan.fill %logits with 0.0 : tensor<4x2xf32>
    plan.output "logits" %logits : tensor<4x2xf32>
  }

  plan.program @evaluate_256 kind(evaluate) tokens(256) sequences(4) activation_bytes(0) flops(1) bytes(1) {
    %ids = plan.buffer in @inputs at 0 : tensor<256xi32>
    %pos = plan.buffer in @inputs at 1024 : tensor<256xi32>
    %cu = plan.buffer in @inputs at 2048 : tensor<5xi32>
    %h = plan.buffer in @weights at 0 : tensor<255x512xbf16>
    %f = plan.buffer in @weights at 261120 : tensor<255x512xf32>
    %x = plan.buffer in @weights at 783360 : tensor<255x512xf32>
    %oh = plan.buffer in @weights at 1305600 : tensor<255x512xf32>
    %of = plan.buffer in @weights at 1827840 : tensor<255x512xf32>
    %logits = plan.buffer in @outputs at 0 : tensor<4x2xf32>
    plan.input "input_ids" %ids : tensor<256xi32>
    plan.input "positions" %pos : tensor<256xi32>
    plan.input "cu_seqlens" %cu : tensor<5xi32>
    plan.collective all_reduce_sum axes [1] %h to %h : tensor<255x512xbf16>, tensor<255x512xbf16>
    plan.launch @halves reads(%h, %x) writes(%oh) grid [255, 1, 1]
      : (tensor<255x512xbf16>, tensor<255x512xf32>) -> tensor<255x512xf32>
    plan.collective all_reduce_sum axes [1] %f to %f : tensor<255x512xf32>, tensor<255x512xf32>
    plan.launch @floats reads(%x, %f) writes(%of) grid [255, 1, 1]
      : (tensor<255x512xf32>, tensor<255x512xf32>) -> tensor<255x512xf32>
    plan.fill %logits with 0.0 : tensor<4x2xf32>
    plan.output "logits" %logits : tensor<4x2xf32>
  }
}
