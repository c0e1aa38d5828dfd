// Probes, and what they become: rows, columns, reductions.
// RUN: llama-opt %s | llama-opt | FileCheck %s
// RUN: llama-opt %s --fuse-lower-to-rowwise | FileCheck %s --check-prefix=ROWS

// CHECK-LABEL: func.func @probe(
// CHECK: llm.probe %{{.*}} threshold 1.000000e-02 : tensor<8x64xbf16> -> tensor<8x4xf32>
// ROWS-LABEL: func.func @probe(
// ROWS: llm.rowwise rows(8) cols(64)
// ROWS: %[[X:.*]] = arith.extf
// ROWS: %[[SUM:.*]] = llm.row_reduce add %[[X]]
// ROWS: %[[MEAN:.*]] = arith.divf %[[SUM]]
// ROWS: %[[OFF:.*]] = arith.subf %[[X]], %[[MEAN]]
// ROWS: %[[SQUARE:.*]] = arith.mulf %[[OFF]], %[[OFF]]
// ROWS: %[[SQUARES:.*]] = llm.row_reduce add %[[SQUARE]]
// ROWS: %[[SIZE:.*]] = math.absf %[[X]]
// ROWS: %[[MOST:.*]] = llm.row_reduce max %[[SIZE]]
// ROWS: arith.cmpf ole, %[[SIZE]]
// ROWS: %[[SMALL:.*]] = llm.row_reduce add
// ROWS: llm.yield %[[MEAN]], %[[SQUARES]], %[[MOST]], %[[SMALL]]
func.func @probe(%x: tensor<8x64xbf16>) -> tensor<8x4xf32> {
  %s = llm.probe %x threshold 1.0e-02 : tensor<8x64xbf16> -> tensor<8x4xf32>
  return %s : tensor<8x4xf32>
}

// CHECK-LABEL: func.func @join(
// CHECK: llm.join_probe %{{.*}} columns 32 : tensor<16x4xf32> -> tensor<8x4xf32>
// ROWS-LABEL: func.func @join(
// ROWS: llm.rowwise rows(8) cols(1)
func.func @join(%g: tensor<16x4xf32>) -> tensor<8x4xf32> {
  %s = llm.join_probe %g columns 32 : tensor<16x4xf32> -> tensor<8x4xf32>
  return %s : tensor<8x4xf32>
}

// CHECK-LABEL: func.func @weight(
// CHECK: llm.probe_weight %{{.*}}, %{{.*}} : tensor<32x64xf32>, tensor<32x64xbf16> -> tensor<3xf32>
// ROWS-LABEL: func.func @weight(
// ROWS: llm.rowwise rows(32) cols(64)
// ROWS: -> (tensor<3x32xf32>)
// ROWS: llm.rowwise rows(3) cols(32)
// ROWS: -> (tensor<3xf32>)
func.func @weight(%g: tensor<32x64xf32>, %w: tensor<32x64xbf16>) -> tensor<3xf32> {
  %s = llm.probe_weight %g, %w : tensor<32x64xf32>, tensor<32x64xbf16> -> tensor<3xf32>
  return %s : tensor<3xf32>
}

// CHECK-LABEL: func.func @watch(
// CHECK: llm.watch "q_proj" %{{.*}} of %{{.*}}, %{{.*}} : tensor<8x32xf32>, tensor<8x64xf32>, tensor<32x64xf32>
func.func @watch(%y: tensor<8x32xf32>, %x: tensor<8x64xf32>, %w: tensor<32x64xf32>) -> tensor<8x32xf32> {
  %z = llm.watch "q_proj" %y of %x, %w : tensor<8x32xf32>, tensor<8x64xf32>, tensor<32x64xf32>
  return %z : tensor<8x32xf32>
}
