// Sums of [rows, columns] that one row kernel alone reads are taken by that kernel.
// RUN: llama-opt %s --codegen-sum-in-kernels | FileCheck %s
// Sums of more than that many bytes stay: 8 x 64 x 2 = 1024.
// RUN: llama-opt %s --codegen-sum-in-kernels=most-bytes=1023 | FileCheck %s --check-prefix=SMALL --implicit-check-not=in_kernel --implicit-check-not=sums(
// The kernels, as code: six more parameters; a store to each peer, none to the
// own inbox; one wait for each of them, bounded by a look at the word in host
// memory.
// RUN: llama-opt %s --codegen-sum-in-kernels --codegen-generate-gpu-kernels=format=ptx | sed 's/\\0A/\n/g' > %t.ptx
// RUN: FileCheck %s --check-prefix=PTX < %t.ptx

#rc = affine_map<(r, c) -> (r, c)>
#c = affine_map<(r, c) -> (c)>

// SMALL: plan.collective all_reduce_sum
// CHECK-DAG: plan.kernel @add_0 "add, 64 columns" {
// CHECK-DAG: plan.kernel @add_0_sum1 "sum over devices+add, 64 columns" sums [1, 2] {
// CHECK-DAG: plan.kernel @add_0_sum0 "sum over devices+add, 64 columns" sums [0, 2] {
// Its launches have all become sums.
// CHECK-NOT: @scale_1 "
// CHECK-DAG: plan.kernel @scale_1_sum0 "sum over devices+scale, 64 columns" sums [0, 2] {

// PTX-LABEL: .entry add_0_sum1(
// PTX-COUNT-10: .param .u64
// PTX-NOT: .param .u64
// PTX: griddepcontrol.wait
// PTX: ld.relaxed.gpu.global.v4.b32
// PTX: setp.ne.s64 p, {{.*}}, 0; @p st.relaxed.sys.global.v4.b32
// PTX: setp.ne.s64 p, {{.*}}, 1; @p st.relaxed.sys.global.v4.b32
// PTX: bar{{(rier)?}}.sync
// PTX: atom.relaxed.gpu.global.inc.u32
// PTX-COUNT-2: again: ld.relaxed.sys.global.v4.b32
// PTX: add.rn.f32
// PTX: ret;
module attributes {plan.grid = [#plan.axis<name = "dp", size = 2>, #plan.axis<name = "tp", size = 2>]} {
  plan.allocation @activations category(activations) bytes(0)
  plan.kernel @add_0 "add, 64 columns" {
  ^bb0(%a: tensor<8x64xf32>, %b: tensor<8x64xf32>):
    %y = llm.rowwise rows(8) cols(64) ins(%a, %b : tensor<8x64xf32>, tensor<8x64xf32>)
        maps [#rc, #rc] indexed_by [-1, -1] outs [0] at [#rc] -> (tensor<8x64xf32>) {
    ^bb0(%x: f32, %z: f32):
      %s = arith.addf %x, %z : f32
      llm.yield %s : f32
    }
  }
  plan.kernel @scale_1 "scale, 64 columns" {
  ^bb0(%a: tensor<8x64xbf16>):
    %y = llm.rowwise rows(8) cols(64) ins(%a : tensor<8x64xbf16>)
        maps [#rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<8x64xbf16>) {
    ^bb0(%x: bf16):
      %e = arith.extf %x : bf16 to f32
      %s = arith.addf %e, %e : f32
      %t = arith.truncf %s : f32 to bf16
      llm.yield %t : bf16
    }
  }
  plan.kernel @bias_2 "bias, 64 columns" {
  ^bb0(%a: tensor<8x64xf32>, %b: tensor<64xf32>):
    %y = llm.rowwise rows(8) cols(64) ins(%a, %b : tensor<8x64xf32>, tensor<64xf32>)
        maps [#rc, #c] indexed_by [-1, -1] outs [0] at [#rc] -> (tensor<8x64xf32>) {
    ^bb0(%x: f32, %z: f32):
      %s = arith.addf %x, %z : f32
      llm.yield %s : f32
    }
  }
  // CHECK-LABEL: plan.program @train_8
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    %x = plan.buffer in @activations : tensor<8x64xf32>
    %y = plan.buffer in @activations : tensor<8x64xf32>
    %z = plan.buffer in @activations : tensor<8x64xf32>
    %h = plan.buffer in @activations : tensor<8x64xbf16>
    %i = plan.buffer in @activations : tensor<8x64xbf16>
    %twice = plan.buffer in @activations : tensor<8x64xf32>
    %place = plan.buffer in @activations : tensor<8x64xf32>
    %batch = plan.buffer in @activations : tensor<8x64xf32>
    %row = plan.buffer in @activations : tensor<64xf32>
    %o = plan.buffer in @activations : tensor<8x64xf32>
    %end = plan.buffer in @activations : tensor<8x64xf32>
    // The sum moves down to the launch, whatever is between.
    // CHECK: plan.fill %[[X:.*]] with 1.0
    // CHECK-NEXT: plan.fill %[[Y:.*]] with 2.0
    // CHECK-NEXT: plan.fill %[[Z:.*]] with 3.0
    // CHECK-NEXT: plan.collective all_reduce_sum axes [1] %[[Y]] to %[[Y]] in_kernel : tensor<8x64xf32>
    // CHECK-NEXT: plan.launch @add_0_sum1 reads(%[[X]], %[[Y]]) writes(%{{.*}}) grid [8, 1, 1] sums(1) :
    plan.fill %x with 1.0 : tensor<8x64xf32>
    plan.fill %y with 2.0 : tensor<8x64xf32>
    plan.collective all_reduce_sum axes [1] %y to %y : tensor<8x64xf32>, tensor<8x64xf32>
    plan.fill %z with 3.0 : tensor<8x64xf32>
    plan.launch @add_0 reads(%x, %y) writes(%o) grid [8, 1, 1] : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<8x64xf32>
    // The other input, and bf16.
    // CHECK-NEXT: plan.collective all_reduce_sum axes [1] %[[Z]] to %[[Z]] in_kernel :
    // CHECK-NEXT: plan.launch @add_0_sum0 reads(%[[Z]], %[[X]]) writes(%{{.*}}) grid [8, 1, 1] sums(0) :
    plan.collective all_reduce_sum axes [1] %z to %z : tensor<8x64xf32>, tensor<8x64xf32>
    plan.launch @add_0 reads(%z, %x) writes(%o) grid [8, 1, 1] : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<8x64xf32>
    // CHECK: plan.collective all_reduce_sum axes [1] %[[H:.*]] to %[[H]] in_kernel :
    // CHECK-NEXT: plan.launch @scale_1_sum0 reads(%[[H]])
    plan.fill %h with 1.0 : tensor<8x64xbf16>
    plan.collective all_reduce_sum axes [1] %h to %h : tensor<8x64xbf16>, tensor<8x64xbf16>
    plan.launch @scale_1 reads(%h) writes(%i) grid [8, 1, 1] : (tensor<8x64xbf16>) -> tensor<8x64xbf16>
    // In place: who reads it later wants what the launch has written.
    // CHECK: plan.collective all_reduce_sum axes [1] %[[I:.*]] to %[[I]] in_kernel :
    // CHECK-NEXT: plan.launch @add_0_sum0 reads(%[[I]], %{{.*}}) writes(%[[I]])
    plan.fill %place with 1.0 : tensor<8x64xf32>
    plan.collective all_reduce_sum axes [1] %place to %place : tensor<8x64xf32>, tensor<8x64xf32>
    plan.launch @add_0 reads(%place, %x) writes(%place) grid [8, 1, 1] : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<8x64xf32>
    plan.copy %place to %end : tensor<8x64xf32>, tensor<8x64xf32>
    // Another reader wants the sum, too.
    // CHECK: plan.collective all_reduce_sum axes [1] %{{.*}} to %{{.*}} : tensor<8x64xf32>
    // CHECK-NEXT: plan.launch @add_0 reads
    plan.fill %twice with 1.0 : tensor<8x64xf32>
    plan.collective all_reduce_sum axes [1] %twice to %twice : tensor<8x64xf32>, tensor<8x64xf32>
    plan.launch @add_0 reads(%twice, %x) writes(%o) grid [8, 1, 1] : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<8x64xf32>
    plan.copy %twice to %end : tensor<8x64xf32>, tensor<8x64xf32>
    // Along the batch axis ranks may run other programs.
    // CHECK: plan.collective all_reduce_sum axes [0] %{{.*}} to %{{.*}} : tensor<8x64xf32>
    plan.fill %batch with 1.0 : tensor<8x64xf32>
    plan.collective all_reduce_sum axes [0] %batch to %batch : tensor<8x64xf32>, tensor<8x64xf32>
    plan.launch @add_0 reads(%batch, %x) writes(%o) grid [8, 1, 1] : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<8x64xf32>
    // Every row reads it: no rows of its own.
    // CHECK: plan.collective all_reduce_sum axes [1] %{{.*}} to %{{.*}} : tensor<64xf32>
    // CHECK-NEXT: plan.launch @bias_2 reads
    plan.fill %row with 1.0 : tensor<64xf32>
    plan.collective all_reduce_sum axes [1] %row to %row : tensor<64xf32>, tensor<64xf32>
    plan.launch @bias_2 reads(%x, %row) writes(%o) grid [8, 1, 1] : (tensor<8x64xf32>, tensor<64xf32>) -> tensor<8x64xf32>
    // A maximum is no sum.
    // CHECK: plan.collective all_reduce_max axes [1] %{{.*}} to %{{.*}} : tensor<8x64xf32>
    plan.collective all_reduce_max axes [1] %end to %end : tensor<8x64xf32>, tensor<8x64xf32>
    plan.launch @add_0 reads(%end, %x) writes(%o) grid [8, 1, 1] : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<8x64xf32>
  }
}
