// RUN: llama-opt %s --codegen-generate-gpu-kernels=format=ptx > %t.1
// RUN: llama-opt %s --codegen-generate-gpu-kernels=format=ptx > %t.2
// RUN: cmp %t.1 %t.2
// RUN: FileCheck %s < %t.1
// RUN: sed 's/\\0A/\n/g' %t.1 > %t.ptx
// RUN: FileCheck %s --check-prefix=PTX < %t.ptx
// Nothing is spilled to memory or kept in arrays there.
// RUN: FileCheck %s --check-prefix=LOCAL --implicit-check-not=.local --implicit-check-not=depot < %t.ptx
// LOCAL: .target sm_90
// Before sm_90 a grid waits for the one before it as a whole.
// RUN: llama-opt %s "--codegen-generate-gpu-kernels=format=ptx arch=sm_80" | FileCheck %s --check-prefix=OLD --implicit-check-not=griddepcontrol --implicit-check-not=programmatic
// OLD: .target sm_80

#rc = affine_map<(r, c) -> (r, c)>
#c = affine_map<(r, c) -> (c)>
#r = affine_map<(r, c) -> (r)>

// CHECK: plan.code_object @gpu_kernels format(ptx) arch("sm_90") data(
// PTX: .target sm_90

// Five vectors a row: eight threads, 32 rows a block, hence the number of rows.
// CHECK: plan.kernel @scale_0 "scale, 20 columns" code_object(@gpu_kernels)
// CHECK-NOT: llm.rowwise
// PTX-LABEL: .entry scale_0(
// PTX-COUNT-3: .param .u64
// PTX-NOT: .param .u64
// PTX: .{{maxntid|reqntid}} 256
// PTX: griddepcontrol.launch_dependents
// PTX: griddepcontrol.wait
// PTX-NOT: bar{{.*}}.sync
// PTX: ld.global.v4.b32
// PTX: st.global.v4.b32
// PTX: ret;
plan.kernel @scale_0 "scale, 20 columns" {
^bb0(%a: tensor<4x20xf32>):
  %y = llm.rowwise rows(4) cols(20) ins(%a : tensor<4x20xf32>)
      maps [#rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<4x20xf32>) {
  ^bb0(%x: f32):
    %two = arith.constant 2.0 : f32
    %d = arith.mulf %x, %two : f32
    llm.yield %d : f32
  }
}

// A row of bf16 is read once, 16 bytes at a time, and stays in registers: four
// vectors of each of 128 threads, and the weight. Lanes by shuffles, warps
// through shared memory; division and root rounded. Two numbers at a time are
// rounded to bf16.
// PTX-LABEL: .entry norm_1(
// PTX-COUNT-3: .param .u64
// PTX-NOT: .param .u64
// PTX: .{{maxntid|reqntid}} 128
// PTX-COUNT-8: ld.global.v4.b32
// PTX-NOT: ld.global
// PTX-COUNT-5: shfl.sync.bfly.b32
// PTX: st.shared.b32
// PTX: bar{{(rier)?}}.sync
// PTX: ld.shared.v4.b32
// PTX: sqrt.rn.f32
// PTX: cvt.rn.bf16x2.f32
// PTX-COUNT-4: st.global.v4.b32
// PTX-NOT: st.global
// PTX: ret;
plan.kernel @norm_1 "norm, 4096 columns" {
^bb0(%h: tensor<48x4096xbf16>, %w: tensor<4096xbf16>):
  %y = llm.rowwise rows(48) cols(4096) ins(%h, %w : tensor<48x4096xbf16>, tensor<4096xbf16>)
      maps [#rc, #c] indexed_by [-1, -1] outs [0] at [#rc] -> (tensor<48x4096xbf16>) {
  ^bb0(%xh: bf16, %sh: bf16):
    %x = arith.extf %xh : bf16 to f32
    %s = arith.extf %sh : bf16 to f32
    %n = arith.constant 4096.0 : f32
    %square = arith.mulf %x, %x : f32
    %sum = llm.row_reduce add %square : f32
    %mean = arith.divf %sum, %n : f32
    %root = math.rsqrt %mean : f32
    %unit = arith.mulf %x, %root : f32
    %scaled = arith.mulf %unit, %s : f32
    %yh = arith.truncf %scaled : f32 to bf16
    llm.yield %yh : bf16
  }
}

// Transposed input: columns need not be contiguous. f64 goes through two words.
// PTX-LABEL: .entry sum_2(
// PTX-COUNT-10: shfl.sync.bfly.b32
// PTX: st.global.b64
plan.kernel @sum_2 "sum" {
^bb0(%a: tensor<64x4xf64>):
  %y = llm.rowwise rows(4) cols(64) ins(%a : tensor<64x4xf64>)
      maps [affine_map<(r, c) -> (c, r)>] indexed_by [-1] outs [0] at [#r] -> (tensor<4xf64>) {
  ^bb0(%x: f64):
    %sum = llm.row_reduce add %x : f64
    llm.yield %sum : f64
  }
}

// A row too long for registers: one loop for maximum and sum, one barrier.
// PTX-LABEL: .entry log_sum_exp_3(
// PTX: ld.global.v4.b32
// PTX: ex2.approx.ftz.f32
// PTX-COUNT-1: bar{{(rier)?}}.sync
// PTX-NOT: bar{{(rier)?}}.sync
// PTX-NOT: ld.global
// PTX: ret;
plan.kernel @log_sum_exp_3 "log of the sum of exp, 128256 columns" {
^bb0(%z: tensor<8x128256xbf16>):
  %y = llm.rowwise rows(8) cols(128256) ins(%z : tensor<8x128256xbf16>)
      maps [#rc] indexed_by [-1] outs [0] at [#r] -> (tensor<8xf32>) {
  ^bb0(%h: bf16):
    %x = arith.extf %h : bf16 to f32
    %most = llm.row_reduce max %x : f32
    %below = arith.subf %x, %most : f32
    %e = math.exp %below : f32
    %sum = llm.row_reduce add %e : f32
    %log = math.log %sum : f32
    %result = arith.addf %log, %most : f32
    llm.yield %result : f32
  }
}

// bf16 and f32 in one kernel: 8 columns are one access of the one and two of
// the other. Columns 4096 and up of a wider matrix.
// PTX-LABEL: .entry widen_4(
// PTX-COUNT-4: ld.global.v4.b32
// PTX-NOT: ld.global
// PTX-COUNT-8: st.global.v4.b32
// PTX-NOT: st.global
// PTX: ret;
plan.kernel @widen_4 "to f32, 1024 columns" {
^bb0(%a: tensor<8x6144xbf16>):
  %y = llm.rowwise rows(8) cols(1024) ins(%a : tensor<8x6144xbf16>)
      maps [affine_map<(r, c) -> (r, c + 4096)>] indexed_by [-1] outs [0] at [#rc] -> (tensor<8x1024xf32>) {
  ^bb0(%x: bf16):
    %y = arith.extf %x : bf16 to f32
    llm.yield %y : f32
  }
}

// A launch hands over a buffer at 8 bytes after a multiple of 16.
// PTX-LABEL: .entry apart_5(
// PTX-NOT: ld.global.v4
// PTX: ld.global.v2.b32
// PTX: st.global.v4.b32
// PTX: ret;
plan.kernel @apart_5 "copy, 1024 columns" {
^bb0(%a: tensor<1x1024xbf16>):
  %y = llm.rowwise rows(1) cols(1024) ins(%a : tensor<1x1024xbf16>)
      maps [#rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<1x1024xbf16>) {
  ^bb0(%x: bf16):
    llm.yield %x : bf16
  }
}

// A long row that is needed twice is read twice.
// PTX-LABEL: .entry softmax_6(
// PTX: .{{maxntid|reqntid}} 1024
// PTX: ld.global.v4.b32
// PTX: bar{{(rier)?}}.sync
// PTX: ld.global.v4.b32
// PTX: st.global.v4.b32
// PTX: ret;
plan.kernel @softmax_6 "softmax, 128256 columns" {
^bb0(%z: tensor<8x128256xbf16>):
  %y = llm.rowwise rows(8) cols(128256) ins(%z : tensor<8x128256xbf16>)
      maps [#rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<8x128256xbf16>) {
  ^bb0(%h: bf16):
    %x = arith.extf %h : bf16 to f32
    %most = llm.row_reduce max %x : f32
    %below = arith.subf %x, %most : f32
    %e = math.exp %below : f32
    %sum = llm.row_reduce add %e : f32
    %p = arith.divf %e, %sum : f32
    %ph = arith.truncf %p : f32 to bf16
    llm.yield %ph : bf16
  }
}

plan.allocation @activations category(activations) bytes(4112384)
plan.program @evaluate_4 kind(evaluate) tokens(4) sequences(1) {
  %a = plan.buffer in @activations at 0 : tensor<4x20xf32>
  %y = plan.buffer in @activations at 1024 : tensor<4x20xf32>
  // CHECK: plan.launch @scale_0 {{.*}} scalars [4] block [256, 1, 1] programmatic
  plan.launch @scale_0 reads(%a) writes(%y) grid [4, 1, 1] : (tensor<4x20xf32>) -> tensor<4x20xf32>
  %b = plan.buffer in @activations at 2056 : tensor<1x1024xbf16>
  %z = plan.buffer in @activations at 4112 : tensor<1x1024xbf16>
  %l = plan.buffer in @activations at 8192 : tensor<8x128256xbf16>
  %p = plan.buffer in @activations at 2060288 : tensor<8x128256xbf16>
  // CHECK: plan.launch @softmax_6 {{.*}} grid [8, 1, 1] block [1024, 1, 1] programmatic
  plan.launch @softmax_6 reads(%l) writes(%p) grid [8, 1, 1] : (tensor<8x128256xbf16>) -> tensor<8x128256xbf16>
  plan.launch @apart_5 reads(%b) writes(%z) grid [1, 1, 1] : (tensor<1x1024xbf16>) -> tensor<1x1024xbf16>
}
