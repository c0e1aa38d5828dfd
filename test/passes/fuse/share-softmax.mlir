// The rows of wide logits are summed up once for the loss and its gradient.
// RUN: llama-opt %s --fuse-share-softmax=columns=16 | FileCheck %s --implicit-check-not=llm.cross_entropy_grad
// RUN: llama-opt %s --fuse-share-softmax | FileCheck %s --check-prefix=FEW --implicit-check-not=softmax_stats
// RUN: llama-opt %s --fuse-share-softmax=columns=16 --fuse-lower-to-rowwise | FileCheck %s --check-prefix=ROWS

// CHECK-LABEL: func.func @train(
// CHECK-SAME: %[[Z:.*]]: tensor<4x16xf32>, %[[L:.*]]: tensor<4xi32>, %[[S:.*]]: tensor<1xf32>, %[[D:.*]]: tensor<1xf32>)
// CHECK-NEXT: %[[PARTS:.*]] = llm.softmax_stats %[[Z]], %[[L]] : tensor<4x16xf32>, tensor<4xi32> -> tensor<4x3xf32>
// CHECK-NEXT: %[[STATS:.*]] = llm.join_softmax_stats %[[PARTS]] : tensor<4x3xf32> -> tensor<4x2xf32>
// CHECK-NEXT: %[[LOSS:.*]] = llm.cross_entropy_parts %[[STATS]], %[[L]], %[[S]] :
// CHECK-NEXT: %[[DZ:.*]] = llm.cross_entropy_parts_grad %[[Z]], %[[STATS]], %[[L]], %[[L]], %[[S]], %[[D]] :
// CHECK-NEXT: return %[[LOSS]], %[[DZ]]
// FEW: llm.cross_entropy %
// FEW: llm.cross_entropy_grad %
// Only the first kernel reduces over the columns of the logits.
// ROWS: llm.rowwise rows(4) cols(16)
// ROWS: llm.row_reduce max
// ROWS: llm.row_reduce add
// ROWS: llm.rowwise rows(4) cols(16)
// ROWS-NOT: row_reduce
// ROWS: return
func.func @train(%z: tensor<4x16xf32>, %l: tensor<4xi32>, %s: tensor<1xf32>, %d: tensor<1xf32>)
    -> (tensor<1xf32>, tensor<4x16xf32>) {
  %loss = llm.cross_entropy %z, %l, %s : tensor<4x16xf32>, tensor<4xi32>, tensor<1xf32> -> tensor<1xf32>
  %dz = llm.cross_entropy_grad %z, %l, %s, %d : tensor<4x16xf32>, tensor<4xi32>, tensor<1xf32>, tensor<1xf32>
  return %loss, %dz : tensor<1xf32>, tensor<4x16xf32>
}

// A loss without a gradient, or with that of other labels, stays.
// CHECK-LABEL: func.func @evaluate(
// CHECK-NEXT: llm.cross_entropy %
// CHECK-NEXT: return
func.func @evaluate(%z: tensor<4x16xf32>, %l: tensor<4xi32>, %s: tensor<1xf32>) -> tensor<1xf32> {
  %loss = llm.cross_entropy %z, %l, %s : tensor<4x16xf32>, tensor<4xi32>, tensor<1xf32> -> tensor<1xf32>
  return %loss : tensor<1xf32>
}
