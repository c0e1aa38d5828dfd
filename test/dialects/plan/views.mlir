// Parts of buffers: as operands of products, kernels, copies, fills and
// collectives; weights that are rows of a stack; launches that wait by themselves.
// RUN: llama-opt %s | FileCheck %s
// RUN: llama-opt %s | llama-opt | FileCheck %s
// RUN: llama-opt %s --mlir-print-op-generic | llama-opt | FileCheck %s

#rc = affine_map<(r, c) -> (r, c)>
module attributes {plan.grid = [#plan.axis<name = "dp", size = 2>]} {
  plan.allocation @weights category(weights) bytes(2304)
  plan.allocation @activations category(activations) bytes(16384)

  // Two weights of 4 x 64 in one matrix whose rows are 72 apart: the last row ends
  // before the allocation does, 8 elements short of a whole row.
  // CHECK: plan.tensor "q" role(weight) in @weights at 0 pitch(72) : tensor<4x64xf32> init(checkpoint)
  plan.tensor "q" role(weight) in @weights at 0 pitch(72) : tensor<4x64xf32> init(checkpoint)
  // CHECK: plan.tensor "k" role(weight) in @weights at 1184 pitch(72) : tensor<4x64xf32> init(checkpoint)
  plan.tensor "k" role(weight) in @weights at 1184 pitch(72) : tensor<4x64xf32> init(checkpoint)
  // CHECK: plan.tensor "v" role(weight) in @weights at 0 pitch(64) : tensor<4x64xf32>
  plan.tensor "v" role(weight) in @weights at 0 pitch(64) : tensor<4x64xf32> init(checkpoint)

  // To a kernel of llm.rowwise a view is a matrix as wide as its pitch.
  plan.kernel @copy_8 "copy, 8 columns" {
  ^bb0(%a: tensor<8x72xf32>):
    %y = llm.rowwise rows(8) cols(8) ins(%a : tensor<8x72xf32>) maps [#rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<8x16xf32>) {
    ^bb0(%x: f32):
      llm.yield %x : f32
    }
    plan.return %y : tensor<8x16xf32>
  }
  // To all others it is what it is; they get the pitch as a scalar.
  plan.kernel @add_8 "add, 8 columns" {
  ^bb0(%a: tensor<8x8xf32>, %b: tensor<8x8xf32>):
    %y = llm.add %a, %b : tensor<8x8xf32>
    plan.return %y : tensor<8x8xf32>
  }

  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    // CHECK: %[[XT:.*]] = plan.buffer in @activations : tensor<8x72xf32>
    %xt = plan.buffer in @activations : tensor<8x72xf32>
    %u = plan.buffer in @activations : tensor<8x16xf32>
    %a = plan.buffer in @activations : tensor<8x64xf32>
    %y = plan.buffer in @activations : tensor<8x8xf32>
    %flat = plan.buffer in @activations : tensor<576xf32>
    // CHECK: %[[X:.*]] = plan.view %[[XT]] at 0 pitch(72) : tensor<8x72xf32> -> tensor<8x64xf32>
    %x = plan.view %xt at 0 pitch(72) : tensor<8x72xf32> -> tensor<8x64xf32>
    // The last columns: the last row ends where the buffer ends.
    // CHECK: %[[T:.*]] = plan.view %[[XT]] at 64 pitch(72) : tensor<8x72xf32> -> tensor<8x8xf32>
    %t = plan.view %xt at 64 pitch(72) : tensor<8x72xf32> -> tensor<8x8xf32>
    %v = plan.view %u at 8 pitch(16) : tensor<8x16xf32> -> tensor<8x8xf32>
    // Rows 2 to 6: together.
    // CHECK: %[[ROWS:.*]] = plan.view %[[XT]] at 144 pitch(72) : tensor<8x72xf32> -> tensor<4x72xf32>
    %rows = plan.view %xt at 144 pitch(72) : tensor<8x72xf32> -> tensor<4x72xf32>
    %half = plan.view %flat at 288 pitch(72) : tensor<576xf32> -> tensor<4x72xf32>
    // CHECK: plan.gemm %[[X]], %{{.*}} transpose_b into %[[T]] m(8) n(8) k(64) lda(72) ldb(64) ldd(72) : tensor<8x64xf32>, tensor<8x64xf32>, tensor<8x8xf32>
    plan.gemm %x, %a transpose_b into %t m(8) n(8) k(64) lda(72) ldb(64) ldd(72)
      : tensor<8x64xf32>, tensor<8x64xf32>, tensor<8x8xf32>
    // CHECK: plan.launch @copy_8 reads(%[[T]]) writes(%{{.*}}) programmatic : (tensor<8x8xf32>) -> tensor<8x8xf32>
    plan.launch @copy_8 reads(%t) writes(%v) programmatic : (tensor<8x8xf32>) -> tensor<8x8xf32>
    // CHECK: plan.launch @add_8 reads(%[[T]], %[[T]]) writes(%{{.*}}) scalars [72, 72] grid [8, 1, 1] block [32, 1, 1] shared(64) grain(2) programmatic : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
    plan.launch @add_8 reads(%t, %t) writes(%y) scalars [72, 72] grid [8, 1, 1] block [32, 1, 1] shared(64) grain(2) programmatic
      : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
    // CHECK: plan.copy %[[ROWS]] to %{{.*}} : tensor<4x72xf32>, tensor<4x72xf32>
    plan.copy %rows to %half : tensor<4x72xf32>, tensor<4x72xf32>
    // Columns are copied row by row, from and to whatever has their shape.
    // CHECK: plan.copy %[[T]] to %{{.*}} : tensor<8x8xf32>, tensor<8x8xf32>
    plan.copy %t to %v : tensor<8x8xf32>, tensor<8x8xf32>
    plan.copy %v to %y : tensor<8x8xf32>, tensor<8x8xf32>
    // CHECK: plan.fill %[[ROWS]] with 0.000000e+00
    plan.fill %rows with 0.0 : tensor<4x72xf32>
    // CHECK: plan.collective all_reduce_sum axes [0] %[[ROWS]] to %[[ROWS]]
    plan.collective all_reduce_sum axes [0] %rows to %rows : tensor<4x72xf32>, tensor<4x72xf32>
  }
}
