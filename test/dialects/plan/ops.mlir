// Every op of the plan dialect in its shortest and its longest form parses,
// verifies, prints as written, and parses again.
// RUN: llama-opt %s | FileCheck %s
// RUN: llama-opt %s | llama-opt | FileCheck %s
// RUN: llama-opt %s --mlir-print-op-generic | llama-opt | FileCheck %s
// Nothing of a program is dead or common to these, though no step has a result.
// RUN: llama-opt %s --cse --canonicalize | FileCheck %s --check-prefix=KEPT

// CHECK: module attributes {plan.compute = f32, plan.flags = "--shard=ddp1"
// CHECK-SAME: plan.grid = [#plan.axis<name = "dp", size = 2>]
// CHECK-SAME: plan.model_hash = "c0ffee"
// CHECK-SAME: plan.source_grid = [#plan.axis<name = "dp", size = 4>]
// CHECK-SAME: plan.target = #plan.target<kind = "cpu", arch = "x86-64-v3", features = "+avx2">
// CHECK-SAME: plan.target_grid = [#plan.axis<name = "tp", size = 2>]
module attributes {
  plan.compute = f32, plan.flags = "--shard=ddp1", plan.model_hash = "c0ffee",
  plan.grid = [#plan.axis<name = "dp", size = 2>],
  plan.source_grid = [#plan.axis<name = "dp", size = 4>], plan.target_grid = [#plan.axis<name = "tp", size = 2>],
  plan.target = #plan.target<kind = "cpu", arch = "x86-64-v3", features = "+avx2">
} {
  // CHECK: plan.allocation @weights category(weights) bytes(1280)
  // CHECK-NOT: align
  // CHECK-NEXT: plan.allocation @parameters category(parameters) bytes(2048) align(4096)
  plan.allocation @weights category(weights) bytes(1280) align(256)
  plan.allocation @parameters category(parameters) bytes(2048) align(4096)
  plan.allocation @gradients category(gradients) bytes(2048)
  plan.allocation @moments category(optimizer_state) bytes(4096)
  plan.allocation @inputs category(inputs) bytes(256)
  plan.allocation @outputs category(outputs) bytes(256)
  plan.allocation @activations category(activations) bytes(16384)
  // CHECK: plan.constant @ones dense<1.000000e+00> : tensor<2xf64>
  plan.constant @ones dense<1.0> : tensor<2xf64>

  // CHECK: plan.tensor "model.norm.weight" role(weight) in @weights at 1024 : tensor<64xf32> init(checkpoint)
  plan.tensor "model.norm.weight" role(weight) in @weights at 1024 : tensor<64xf32> init(checkpoint)
  // CHECK: plan.tensor "a.lora_A.weight" role(parameter) in @parameters at 0 : tensor<8x64xf32> init(uniform, 1.250000e-01) global [16, 64] sharding {{\[}}[0], []]
  plan.tensor "a.lora_A.weight" role(parameter) in @parameters at 0 : tensor<8x64xf32>
    init(uniform, 1.250000e-01) global [16, 64] sharding [[0], []]
  // CHECK: plan.tensor "a.lora_A.weight" role(gradient) in @gradients at 0 : tensor<8x64xf32> init(zero)
  plan.tensor "a.lora_A.weight" role(gradient) in @gradients at 0 : tensor<8x64xf32> init(zero)
  // Parts of a plan that changes layouts: the axes are those of their side's grid.
  // CHECK: plan.tensor "b" role(parameter) in @parameters at 64 : tensor<4xf32> init(zero) part(source, 0)
  plan.tensor "b" role(parameter) in @parameters at 64 : tensor<4xf32> init(zero) part(source, 0)
  // CHECK: plan.tensor "b" role(parameter) in @parameters at 128 : tensor<2xf32> init(zero) global [4] sharding {{\[}}[0]] part(target, 1)
  plan.tensor "b" role(parameter) in @parameters at 128 : tensor<2xf32> init(zero) global [4] sharding [[0]] part(target, 1)
  // CHECK: plan.tensor "a.lora_A" role(sensitivity) in @moments at 2048 : tensor<8x8xf32> init(zero)
  plan.tensor "a.lora_A" role(sensitivity) in @moments at 2048 : tensor<8x8xf32> init(zero)
  // CHECK: plan.tensor "a.lora_A" role(uncertainty) in @moments at 2304 : tensor<8x8xf32> init(zero)
  plan.tensor "a.lora_A" role(uncertainty) in @moments at 2304 : tensor<8x8xf32> init(zero)
  // CHECK: plan.tensor "powers" role(state) in @moments at 64 : tensor<2xf64> init(data from @ones)
  plan.tensor "powers" role(state) in @moments at 64 : tensor<2xf64> init(data from @ones)

  // CHECK: plan.code_object @objects format(elf) arch("x86-64-v3") data("\7FELF\00\01")
  plan.code_object @objects format(elf) arch("x86-64-v3") data("\7FELF\00\01")
  // CHECK: plan.kernel @add_64 "add, 64 columns" {
  // CHECK-NEXT: ^bb0(%[[A:.*]]: tensor<8x64xf32>, %[[B:.*]]: tensor<8x64xf32>):
  // CHECK-NEXT: %[[S:.*]] = llm.add %[[A]], %[[B]] : tensor<8x64xf32>
  // CHECK-NEXT: plan.return %[[S]] : tensor<8x64xf32>
  // CHECK-NEXT: }
  // KEPT: llm.add
  plan.kernel @add_64 "add, 64 columns" {
  ^bb0(%a: tensor<8x64xf32>, %b: tensor<8x64xf32>):
    %s = llm.add %a, %b : tensor<8x64xf32>
    plan.return %s : tensor<8x64xf32>
  }
  // CHECK: plan.kernel @mul_64 "mul, 64 columns" code_object(@objects){{$}}
  plan.kernel @mul_64 "mul, 64 columns" code_object(@objects)
  // CHECK: plan.kernel @sum_64 "sum over devices+add, 64 columns" code_object(@objects) sums [1, 4]{{$}}
  plan.kernel @sum_64 "sum over devices+add, 64 columns" code_object(@objects) sums [1, 4]

  // CHECK: plan.program @train_8 kind(train) tokens(8) sequences(2) streams(2) activation_bytes(8192) flops(65536) bytes(12288) {
  // KEPT: plan.program @train_8
  plan.program @train_8 kind(train) tokens(8) sequences(2) streams(2)
      activation_bytes(8192) flops(65536) bytes(12288) {
    // Two buffers that are still to be placed are two places.
    // CHECK: %[[IDS:.*]] = plan.buffer in @inputs at 0 : tensor<8xi32>
    // CHECK-NEXT: %[[X:.*]] = plan.buffer in @activations : tensor<8x64xf32>
    // CHECK-NEXT: %[[Y:.*]] = plan.buffer in @activations : tensor<8x64xf32>
    // KEPT-COUNT-2: plan.buffer in @activations : tensor<8x64xf32>
    %ids = plan.buffer in @inputs at 0 : tensor<8xi32>
    %x = plan.buffer in @activations : tensor<8x64xf32>
    %y = plan.buffer in @activations : tensor<8x64xf32>
    %w = plan.buffer in @weights at 0 : tensor<4x64xf32>
    %z = plan.buffer in @activations at 4096 : tensor<8x4xf32>
    %g = plan.buffer in @activations at 4352 : tensor<8x128xf32>
    %flat = plan.buffer in @activations at 8448 : tensor<32xf32>
    %loss = plan.buffer in @outputs at 0 : tensor<1xf32>
    // CHECK: plan.input "input_ids" %[[IDS]] : tensor<8xi32>
    // CHECK: plan.output "loss" %[[LOSS:.*]] : tensor<1xf32>
    // KEPT: plan.input
    // KEPT: plan.output
    plan.input "input_ids" %ids : tensor<8xi32>
    plan.output "loss" %loss : tensor<1xf32>
    // CHECK: plan.launch @add_64 reads(%[[X]], %[[Y]]) writes(%[[Y]]) : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<8x64xf32>
    // KEPT: plan.launch
    plan.launch @add_64 reads(%x, %y) writes(%y)
      : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<8x64xf32>
    // CHECK: plan.launch @mul_64 reads() writes(%[[X]]) scalars [5, -1] grid [8, 2, 1] block [64, 1, 1] shared(1024) grain(2) stream(1) waits [0] : () -> tensor<8x64xf32>
    // KEPT: plan.launch
    plan.launch @mul_64 reads() writes(%x) scalars [5, -1] grid [8, 2, 1] block [64, 1, 1]
      shared(1024) grain(2) stream(1) waits [0] : () -> tensor<8x64xf32>
    // CHECK: plan.gemm %[[X]], %[[W:.*]] transpose_b into %[[Z:.*]] m(8) n(4) k(64) lda(64) ldb(64) ldd(4) waits [1] : tensor<8x64xf32>, tensor<4x64xf32>, tensor<8x4xf32>
    // KEPT: plan.gemm
    plan.gemm %x, %w transpose_b into %z m(8) n(4) k(64) lda(64) ldb(64) ldd(4) waits [1]
      : tensor<8x64xf32>, tensor<4x64xf32>, tensor<8x4xf32>
    // The left half of a wider matrix, added to what it holds.
    // CHECK: plan.gemm %[[Z]], %[[W]] into %{{.*}} m(8) n(64) k(4) lda(4) ldb(64) ldd(128) alpha 2.000000e+00 beta 1.000000e+00 : tensor<8x4xf32>, tensor<4x64xf32>, tensor<8x128xf32>
    // KEPT: plan.gemm
    plan.gemm %z, %w into %g m(8) n(64) k(4) lda(4) ldb(64) ldd(128)
      alpha 2.0 beta 1.0 : tensor<8x4xf32>, tensor<4x64xf32>, tensor<8x128xf32>
    // CHECK: plan.copy %[[Z]] to %[[FLAT:.*]] : tensor<8x4xf32>, tensor<32xf32>
    // CHECK: plan.fill %[[FLAT]] with 0.000000e+00 : tensor<32xf32>
    // CHECK: plan.collective all_reduce_sum axes [0] %[[FLAT]] to %[[FLAT]] : tensor<32xf32>, tensor<32xf32>
    // KEPT: plan.copy
    // KEPT: plan.fill
    // KEPT: plan.fill
    // KEPT: plan.collective
    plan.copy %z to %flat : tensor<8x4xf32>, tensor<32xf32>
    plan.fill %flat with 0.0 : tensor<32xf32>
    plan.fill %flat with 0.0 : tensor<32xf32>
    plan.collective all_reduce_sum axes [0] %flat to %flat : tensor<32xf32>, tensor<32xf32>
    // A sum that the kernel behind it takes.
    // CHECK: plan.collective all_reduce_sum axes [0] %[[Y]] to %[[Y]] in_kernel : tensor<8x64xf32>, tensor<8x64xf32>
    // CHECK: plan.launch @sum_64 reads(%[[X]], %[[Y]]) writes(%[[Y]]) sums(1) : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<8x64xf32>
    // KEPT: plan.collective
    // KEPT: plan.launch
    plan.collective all_reduce_sum axes [0] %y to %y in_kernel : tensor<8x64xf32>, tensor<8x64xf32>
    plan.launch @sum_64 reads(%x, %y) writes(%y) sums(1)
      : (tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<8x64xf32>
  }
}
