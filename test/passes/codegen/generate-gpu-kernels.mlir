// RUN: llama-opt %s --codegen-generate-gpu-kernels=format=ptx > %t.1
// RUN: llama-opt %s --codegen-generate-gpu-kernels=format=ptx > %t.2
// RUN: cmp %t.1 %t.2
// RUN: FileCheck %s < %t.1
// RUN: sed 's/\\0A/\n/g' %t.1 | FileCheck %s --check-prefix=PTX

// CHECK: plan.code_object @gpu_kernels format(ptx) arch("sm_90") data(
// PTX: .target sm_90

// A narrow row needs one warp, hence no shared memory.
// CHECK: plan.kernel @scale_0 "scale, 20 columns" code_object(@gpu_kernels)
// CHECK-NOT: llm.rowwise
// PTX-LABEL: .entry scale_0(
// PTX-COUNT-2: .param .u64 {{(.ptr .global )?}}
// PTX-NOT: .param .u64
// PTX-NOT: bar.sync
// PTX: ld.global
// PTX: st.global
// PTX: ret;
plan.kernel @scale_0 "scale, 20 columns" {
^bb0(%a: tensor<4x20xf32>):
  %y = llm.rowwise rows(4) cols(20) ins(%a : tensor<4x20xf32>)
      maps [affine_map<(r, c) -> (r, c)>] indexed_by [-1]
      outs [0] at [affine_map<(r, c) -> (r, c)>] -> (tensor<4x20xf32>) {
  ^bb0(%x: f32):
    %two = arith.constant 2.0 : f32
    %d = arith.mulf %x, %two : f32
    llm.yield %d : f32
  }
}

// Lanes by shuffles, warps through shared memory; division and root rounded.
// CHECK: plan.kernel @norm_1 "norm, 640 columns" code_object(@gpu_kernels)
// PTX-LABEL: .entry norm_1(
// PTX-COUNT-3: .param .u64
// PTX: .{{maxntid|reqntid}} 256
// PTX-COUNT-5: shfl.sync.bfly.b32
// PTX: st.shared.b32
// PTX: bar{{(rier)?}}.sync
// PTX: ld.shared.{{.*}}b32
// PTX: sqrt.rn.f32
// PTX: st.global
// PTX: ret;
plan.kernel @norm_1 "norm, 640 columns" {
^bb0(%h: tensor<48x640xf32>, %w: tensor<640xf32>):
  %y = llm.rowwise rows(48) cols(640) ins(%h, %w : tensor<48x640xf32>, tensor<640xf32>)
      maps [affine_map<(r, c) -> (r, c)>, affine_map<(r, c) -> (c)>] indexed_by [-1, -1]
      outs [0] at [affine_map<(r, c) -> (r, c)>] -> (tensor<48x640xf32>) {
  ^bb0(%x: f32, %s: f32):
    %n = arith.constant 640.0 : f32
    %square = arith.mulf %x, %x : f32
    %sum = llm.row_reduce add %square : f32
    %mean = arith.divf %sum, %n : f32
    %root = math.rsqrt %mean : f32
    %unit = arith.mulf %x, %root : f32
    %scaled = arith.mulf %unit, %s : f32
    llm.yield %scaled : f32
  }
}

// Transposed input: columns need not be contiguous. f64 goes through two words.
// CHECK: plan.kernel @sum_2 "sum" code_object(@gpu_kernels)
// PTX-LABEL: .entry sum_2(
// PTX-COUNT-10: shfl.sync.bfly.b32
// PTX: st.global.b64
plan.kernel @sum_2 "sum" {
^bb0(%a: tensor<64x4xf64>):
  %y = llm.rowwise rows(4) cols(64) ins(%a : tensor<64x4xf64>)
      maps [affine_map<(r, c) -> (c, r)>] indexed_by [-1]
      outs [0] at [affine_map<(r, c) -> (r)>] -> (tensor<4xf64>) {
  ^bb0(%x: f64):
    %sum = llm.row_reduce add %x : f64
    llm.yield %sum : f64
  }
}

plan.allocation @activations category(activations) bytes(2048)
plan.program @evaluate_4 kind(evaluate) tokens(4) sequences(1) {
  %a = plan.buffer in @activations at 0 : tensor<4x20xf32>
  %y = plan.buffer in @activations at 1024 : tensor<4x20xf32>
  // CHECK: plan.launch @scale_0 {{.*}} grid [4, 1, 1] block [32, 1, 1]
  plan.launch @scale_0 reads(%a) writes(%y) grid [4, 1, 1] : (tensor<4x20xf32>) -> tensor<4x20xf32>
}
