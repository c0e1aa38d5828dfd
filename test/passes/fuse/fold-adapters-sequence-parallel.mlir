// Layers whose input is gathered: x and t of own tokens lie side by side and are
// gathered at once. The backward pass wants t, but not x: a copy of t lets go of it.
// dt of both layers is scattered at once, and dA is one product of own tokens.
// RUN: llama-opt %s --fuse-fold-adapters | FileCheck %s

// CHECK-LABEL: func.func @train_8(
// CHECK-SAME: %[[X:[^:]+]]: tensor<4x64xf32>
// CHECK: %[[F:.*]] = llm.folded_weight ["gate", "up"] rows [32, 32] a ["ga", "ua"] b ["gb", "ub"] ranks [4, 4] scales [2.000000e+00, 2.000000e+00] pad 8
// CHECK-NEXT: %[[A:.*]] = llm.panel %[[F]] at{{ ?}}[64, 0] : tensor<72x72xf32> -> tensor<8x64xf32>
// CHECK-NEXT: %[[T:.*]] = llm.matmul %[[X]], %[[A]] transpose_b : (tensor<4x64xf32>, tensor<8x64xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %[[XT:.*]] = llm.concat %[[X]], %[[T]] : (tensor<4x64xf32>, tensor<4x8xf32>) -> tensor<4x72xf32>
// CHECK-NEXT: %[[ALL:.*]] = shard.all_gather %[[XT]] on @grid grid_axes = [1] gather_axis = 0 : tensor<4x72xf32> -> tensor<8x72xf32>
// CHECK-NEXT: %[[TALL:.*]] = llm.panel %[[ALL]] at{{ ?}}[0, 64] : tensor<8x72xf32> -> tensor<8x8xf32>
// CHECK-NEXT: %[[COPY:.*]] = llm.rowwise
// CHECK: llm.panel %[[COPY]] at{{ ?}}[0, 0] : tensor<8x8xf32> -> tensor<8x4xf32>
// CHECK: llm.matmul %[[ALL]], %{{.*}} transpose_b : (tensor<8x72xf32>, tensor<64x72xf32>) -> tensor<8x64xf32>
// CHECK-NOT: shard.all_gather
// CHECK: %[[DT:.*]] = llm.matmul %{{.*}} : (tensor<8x64xf32>, tensor<64x8xf32>) -> tensor<8x8xf32>
// CHECK: %[[OWN:.*]] = shard.reduce_scatter %[[DT]] on @grid grid_axes = [1] scatter_axis = 0 : tensor<8x8xf32> -> tensor<4x8xf32>
// CHECK: %[[DA:.*]] = llm.matmul %[[OWN]], %[[X]] transpose_a : (tensor<4x8xf32>, tensor<4x64xf32>) -> tensor<8x64xf32>
// CHECK: shard.reduce_scatter %{{.*}} : tensor<8x64xf32> -> tensor<4x64xf32>
// CHECK-NOT: shard.
module {
shard.grid @grid(shape = 1x2)
func.func @train_8(%x: tensor<4x64xf32>) -> tensor<4x64xf32> attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
  %gw = llm.weight "gate" : tensor<32x64xf32>
  %ga = llm.parameter "ga" init <zero, 0.0> : tensor<4x64xf32>
  %gb = llm.parameter "gb" init <zero, 0.0> : tensor<32x4xf32>
  %uw = llm.weight "up" : tensor<32x64xf32>
  %ua = llm.parameter "ua" init <zero, 0.0> : tensor<4x64xf32>
  %ub = llm.parameter "ub" init <zero, 0.0> : tensor<32x4xf32>
  %all = shard.all_gather %x on @grid grid_axes = [1] gather_axis = 0 : tensor<4x64xf32> -> tensor<8x64xf32>
  %g0 = llm.matmul %all, %gw transpose_b : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  %gt = llm.matmul %all, %ga transpose_b : (tensor<8x64xf32>, tensor<4x64xf32>) -> tensor<8x4xf32>
  %g1 = llm.matmul %gt, %gb transpose_b alpha 2.0 : (tensor<8x4xf32>, tensor<32x4xf32>) -> tensor<8x32xf32>
  %g = llm.add %g0, %g1 : tensor<8x32xf32>
  %u0 = llm.matmul %all, %uw transpose_b : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
  %ut = llm.matmul %all, %ua transpose_b : (tensor<8x64xf32>, tensor<4x64xf32>) -> tensor<8x4xf32>
  %u1 = llm.matmul %ut, %ub transpose_b alpha 2.0 : (tensor<8x4xf32>, tensor<32x4xf32>) -> tensor<8x32xf32>
  %u = llm.add %u0, %u1 : tensor<8x32xf32>
  %dg, %du = llm.swiglu_grad %g, %u, %g : tensor<8x32xf32>
  %udt = llm.matmul %du, %ub alpha 2.0 : (tensor<8x32xf32>, tensor<32x4xf32>) -> tensor<8x4xf32>
  %udb = llm.matmul %du, %ut transpose_a alpha 2.0 : (tensor<8x32xf32>, tensor<8x4xf32>) -> tensor<32x4xf32>
  llm.gradient "ub", %udb : tensor<32x4xf32>
  %udx = llm.matmul %udt, %ua : (tensor<8x4xf32>, tensor<4x64xf32>) -> tensor<8x64xf32>
  %udto = shard.reduce_scatter %udt on @grid grid_axes = [1] scatter_axis = 0 : tensor<8x4xf32> -> tensor<4x4xf32>
  %uda = llm.matmul %udto, %x transpose_a : (tensor<4x4xf32>, tensor<4x64xf32>) -> tensor<4x64xf32>
  llm.gradient "ua", %uda : tensor<4x64xf32>
  %udb0 = llm.matmul %du, %uw : (tensor<8x32xf32>, tensor<32x64xf32>) -> tensor<8x64xf32>
  %d0 = llm.add %udx, %udb0 : tensor<8x64xf32>
  %gdt = llm.matmul %dg, %gb alpha 2.0 : (tensor<8x32xf32>, tensor<32x4xf32>) -> tensor<8x4xf32>
  %gdb = llm.matmul %dg, %gt transpose_a alpha 2.0 : (tensor<8x32xf32>, tensor<8x4xf32>) -> tensor<32x4xf32>
  llm.gradient "gb", %gdb : tensor<32x4xf32>
  %gdx = llm.matmul %gdt, %ga : (tensor<8x4xf32>, tensor<4x64xf32>) -> tensor<8x64xf32>
  %gdto = shard.reduce_scatter %gdt on @grid grid_axes = [1] scatter_axis = 0 : tensor<8x4xf32> -> tensor<4x4xf32>
  %gda = llm.matmul %gdto, %x transpose_a : (tensor<4x4xf32>, tensor<4x64xf32>) -> tensor<4x64xf32>
  llm.gradient "ga", %gda : tensor<4x64xf32>
  %gdb0 = llm.matmul %dg, %gw : (tensor<8x32xf32>, tensor<32x64xf32>) -> tensor<8x64xf32>
  %d1 = llm.add %d0, %gdx : tensor<8x64xf32>
  %d2 = llm.add %d1, %gdb0 : tensor<8x64xf32>
  %dx = shard.reduce_scatter %d2 on @grid grid_axes = [1] scatter_axis = 0 : tensor<8x64xf32> -> tensor<4x64xf32>
  return %dx : tensor<4x64xf32>
}
}
