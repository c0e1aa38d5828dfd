// Two rowwise ops become one where one reads, element by element, what the other
// writes; and they do not where that would change a number.
// RUN: llama-opt %s --fuse-rowwise | FileCheck %s

#rc = affine_map<(r, c) -> (r, c)>
#r = affine_map<(r, c) -> (r)>
#c = affine_map<(r, c) -> (c)>
#found = affine_map<(r, c)[i] -> (i, c)>
#low = affine_map<(r, c) -> (r, c)>
#high = affine_map<(r, c) -> (r, c + 2)>
// CHECK-DAG: #[[MAP:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG: #[[MAP1:.*]] = affine_map<(d0, d1) -> (d0)>
// CHECK-DAG: #[[MAP2:.*]] = affine_map<(d0, d1)[s0] -> (s0, d1)>
// CHECK-DAG: #[[MAP3:.*]] = affine_map<(d0, d1) -> (d1)>
// CHECK-DAG: #[[MAP4:.*]] = affine_map<(d0, d1) -> (0, d1)>
// CHECK-DAG: #[[MAP5:.*]] = affine_map<(d0, d1) -> (d0, d1 + 2)>

// A residual and the norm that reads it: one op. %a, an input of both, is one
// input; the residual, which nobody else reads, is no result.
// CHECK-LABEL: func.func @merged(
// CHECK-SAME: %[[A:[^:]+]]: tensor<8x4xf32>, %[[B:[^:]+]]: tensor<8x4xf32>) -> tensor<8x4xf32> {
// CHECK-NEXT: %[[ROWWISE:.*]] = llm.rowwise rows(8) cols(4) ins(%[[A]], %[[B]] : tensor<8x4xf32>, tensor<8x4xf32>) maps [#[[MAP]], #[[MAP]]] indexed_by [-1, -1] outs [0] at [#[[MAP]]] -> (tensor<8x4xf32>) {
// CHECK-NEXT: ^{{.*}}(%[[E:.*]]: f32, %[[E1:.*]]: f32):
// CHECK-NEXT: %[[ADDF:.*]] = arith.addf %[[E]], %[[E1]] : f32
// CHECK-NEXT: %[[ROW_REDUCE:.*]] = llm.row_reduce add %[[ADDF]] : f32
// CHECK-NEXT: %[[SUBF:.*]] = arith.subf %[[E]], %[[ROW_REDUCE]] : f32
// CHECK-NEXT: llm.yield %[[SUBF]] : f32
// CHECK-NEXT: } {llm.source = "add+norm"}
// CHECK-NEXT: return %[[ROWWISE]] : tensor<8x4xf32>
func.func @merged(%a: tensor<8x4xf32>, %b: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %h = llm.rowwise rows(8) cols(4) ins(%a, %b : tensor<8x4xf32>, tensor<8x4xf32>)
         maps [#rc, #rc] indexed_by [-1, -1] outs [0] at [#rc] -> (tensor<8x4xf32>) {
  ^bb0(%x: f32, %y: f32):
    %s = arith.addf %x, %y : f32
    llm.yield %s : f32
  } {llm.source = "add"}
  %n = llm.rowwise rows(8) cols(4) ins(%h, %a : tensor<8x4xf32>, tensor<8x4xf32>)
         maps [#rc, #rc] indexed_by [-1, -1] outs [0] at [#rc] -> (tensor<8x4xf32>) {
  ^bb0(%x: f32, %y: f32):
    %s = llm.row_reduce add %x : f32
    %t = arith.subf %y, %s : f32
    llm.yield %t : f32
  } {llm.source = "norm"}
  return %n : tensor<8x4xf32>
}

// Others read the residual: it stays a result, the first one.
// CHECK-LABEL: func.func @kept(
// CHECK-SAME: %[[A:[^:]+]]: tensor<8x4xf32>, %[[B:[^:]+]]: tensor<4x4xf32>) -> (tensor<8x4xf32>, tensor<8x4xf32>) {
// CHECK-NEXT: %[[ROWWISE:.*]]:2 = llm.rowwise rows(8) cols(4) ins(%[[A]] : tensor<8x4xf32>) maps [#[[MAP]]] indexed_by [-1] outs [0, 1] at [#[[MAP]], #[[MAP]]] -> (tensor<8x4xf32>, tensor<8x4xf32>) {
// CHECK-NEXT: ^{{.*}}(%[[E:.*]]: f32):
// CHECK-NEXT: %[[NEGF:.*]] = arith.negf %[[E]] : f32
// CHECK-NEXT: %[[EXP:.*]] = math.exp %[[NEGF]] : f32
// CHECK-NEXT: llm.yield %[[NEGF]], %[[EXP]] : f32, f32
// CHECK-NEXT: } {llm.source = "first+second"}
// CHECK-NEXT: %[[MATMUL:.*]] = llm.matmul %[[ROWWISE]]#0, %[[B]] : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
// CHECK-NEXT: return %[[ROWWISE]]#1, %[[MATMUL]] : tensor<8x4xf32>, tensor<8x4xf32>
func.func @kept(%a: tensor<8x4xf32>, %b: tensor<4x4xf32>) -> (tensor<8x4xf32>, tensor<8x4xf32>) {
  %h = llm.rowwise rows(8) cols(4) ins(%a : tensor<8x4xf32>) maps [#rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<8x4xf32>) {
  ^bb0(%x: f32):
    %s = arith.negf %x : f32
    llm.yield %s : f32
  } {llm.source = "first"}
  %n = llm.rowwise rows(8) cols(4) ins(%h : tensor<8x4xf32>) maps [#rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<8x4xf32>) {
  ^bb0(%x: f32):
    %s = math.exp %x : f32
    llm.yield %s : f32
  } {llm.source = "second"}
  %y = llm.matmul %h, %b : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  return %n, %y : tensor<8x4xf32>, tensor<8x4xf32>
}

// Three in a row, the last fed by both others: one op.
// CHECK-LABEL: func.func @chain(
// CHECK-SAME: %[[A:[^:]+]]: tensor<8x4xf32>, %[[V:[^:]+]]: tensor<8xf32>) -> tensor<8x4xf32> {
// CHECK-NEXT: %[[ROWWISE:.*]] = llm.rowwise rows(8) cols(4) ins(%[[A]], %[[V]] : tensor<8x4xf32>, tensor<8xf32>) maps [#[[MAP]], #[[MAP1]]] indexed_by [-1, -1] outs [0] at [#[[MAP]]] -> (tensor<8x4xf32>) {
// CHECK-NEXT: ^{{.*}}(%[[E:.*]]: f32, %[[E1:.*]]: f32):
// CHECK-NEXT: %[[NEGF:.*]] = arith.negf %[[E]] : f32
// CHECK-NEXT: %[[ROW_REDUCE:.*]] = llm.row_reduce max %[[NEGF]] : f32
// CHECK-NEXT: %[[ADDF:.*]] = arith.addf %[[ROW_REDUCE]], %[[E1]] : f32
// CHECK-NEXT: %[[SUBF:.*]] = arith.subf %[[NEGF]], %[[ADDF]] : f32
// CHECK-NEXT: llm.yield %[[SUBF]] : f32
// CHECK-NEXT: } {llm.source = "neg+max+sub"}
// CHECK-NEXT: return %[[ROWWISE]] : tensor<8x4xf32>
func.func @chain(%a: tensor<8x4xf32>, %v: tensor<8xf32>) -> tensor<8x4xf32> {
  %h = llm.rowwise rows(8) cols(4) ins(%a : tensor<8x4xf32>) maps [#rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<8x4xf32>) {
  ^bb0(%x: f32):
    %s = arith.negf %x : f32
    llm.yield %s : f32
  } {llm.source = "neg"}
  // A number a row, read again as a number a row.
  %t = llm.rowwise rows(8) cols(4) ins(%h, %v : tensor<8x4xf32>, tensor<8xf32>) maps [#rc, #r] indexed_by [-1, -1] outs [0] at [#r] -> (tensor<8xf32>) {
  ^bb0(%x: f32, %y: f32):
    %s = llm.row_reduce max %x : f32
    %u = arith.addf %s, %y : f32
    llm.yield %u : f32
  } {llm.source = "max"}
  %z = llm.rowwise rows(8) cols(4) ins(%t, %h : tensor<8xf32>, tensor<8x4xf32>) maps [#r, #rc] indexed_by [-1, -1] outs [0] at [#rc] -> (tensor<8x4xf32>) {
  ^bb0(%x: f32, %y: f32):
    %s = arith.subf %y, %x : f32
    llm.yield %s : f32
  } {llm.source = "sub"}
  return %z : tensor<8x4xf32>
}

// Indirect inputs keep their index, under its new number.
// CHECK-LABEL: func.func @indirect(
// CHECK-SAME: %[[IDS:[^:]+]]: tensor<8xi32>, %[[TABLE:[^:]+]]: tensor<16x4xf32>, %[[A:[^:]+]]: tensor<8x4xf32>) -> tensor<8x4xf32> {
// CHECK-NEXT: %[[ROWWISE:.*]] = llm.rowwise rows(8) cols(4) ins(%[[A]], %[[IDS]], %[[TABLE]] : tensor<8x4xf32>, tensor<8xi32>, tensor<16x4xf32>) maps [#[[MAP]], #[[MAP1]], #[[MAP2]]] indexed_by [-1, -1, 1] outs [0] at [#[[MAP]]] -> (tensor<8x4xf32>) {
// CHECK-NEXT: ^{{.*}}(%[[E:.*]]: f32, %[[E1:.*]]: i32, %[[E2:.*]]: f32):
// CHECK-NEXT: %[[NEGF:.*]] = arith.negf %[[E]] : f32
// CHECK-NEXT: %[[ADDF:.*]] = arith.addf %[[E2]], %[[NEGF]] : f32
// CHECK-NEXT: llm.yield %[[ADDF]] : f32
// CHECK-NEXT: } {llm.source = "neg+lookup"}
// CHECK-NEXT: return %[[ROWWISE]] : tensor<8x4xf32>
func.func @indirect(%ids: tensor<8xi32>, %table: tensor<16x4xf32>, %a: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %h = llm.rowwise rows(8) cols(4) ins(%a : tensor<8x4xf32>) maps [#rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<8x4xf32>) {
  ^bb0(%x: f32):
    %s = arith.negf %x : f32
    llm.yield %s : f32
  } {llm.source = "neg"}
  %z = llm.rowwise rows(8) cols(4) ins(%table, %h, %ids : tensor<16x4xf32>, tensor<8x4xf32>, tensor<8xi32>)
         maps [#found, #rc, #r] indexed_by [2, -1, -1] outs [0] at [#rc] -> (tensor<8x4xf32>) {
  ^bb0(%x: f32, %y: f32, %i: i32):
    %s = arith.addf %x, %y : f32
    llm.yield %s : f32
  } {llm.source = "lookup"}
  return %z : tensor<8x4xf32>
}

// Refused: not the same loop.
// CHECK-LABEL: func.func @other_rows(
// CHECK: llm.rowwise rows(8) cols(4)
// CHECK: llm.rowwise rows(1) cols(4)
func.func @other_rows(%a: tensor<8x4xf32>) -> tensor<4xf32> {
  %h = llm.rowwise rows(8) cols(4) ins(%a : tensor<8x4xf32>) maps [#rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<8x4xf32>) {
  ^bb0(%x: f32):
    %s = arith.negf %x : f32
    llm.yield %s : f32
  }
  %z = llm.rowwise rows(1) cols(4) ins(%h : tensor<8x4xf32>) maps [#rc] indexed_by [-1] outs [0] at [#c] -> (tensor<4xf32>) {
  ^bb0(%x: f32):
    llm.yield %x : f32
  }
  return %z : tensor<4xf32>
}

// Refused: read elsewhere than written, here row 0 by all rows.
// CHECK-LABEL: func.func @other_element(
// CHECK-COUNT-2: llm.rowwise rows(8) cols(4)
func.func @other_element(%a: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %h = llm.rowwise rows(8) cols(4) ins(%a : tensor<8x4xf32>) maps [#rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<8x4xf32>) {
  ^bb0(%x: f32):
    %s = arith.negf %x : f32
    llm.yield %s : f32
  }
  %z = llm.rowwise rows(8) cols(4) ins(%h : tensor<8x4xf32>) maps [affine_map<(r, c) -> (0, c)>] indexed_by [-1] outs [0] at [#rc] -> (tensor<8x4xf32>) {
  ^bb0(%x: f32):
    llm.yield %x : f32
  }
  return %z : tensor<8x4xf32>
}

// Refused: once at its own element, but once at another too.
// CHECK-LABEL: func.func @both_elements(
// CHECK-COUNT-2: llm.rowwise rows(8) cols(4)
func.func @both_elements(%a: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %h = llm.rowwise rows(8) cols(4) ins(%a : tensor<8x4xf32>) maps [#rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<8x4xf32>) {
  ^bb0(%x: f32):
    %s = arith.negf %x : f32
    llm.yield %s : f32
  }
  %z = llm.rowwise rows(8) cols(4) ins(%h, %h : tensor<8x4xf32>, tensor<8x4xf32>) maps [#rc, affine_map<(r, c) -> (0, c)>] indexed_by [-1, -1] outs [0] at [#rc] -> (tensor<8x4xf32>) {
  ^bb0(%x: f32, %y: f32):
    %s = arith.addf %x, %y : f32
    llm.yield %s : f32
  }
  return %z : tensor<8x4xf32>
}

// Refused: a result that two yields write in halves, as rope's.
// CHECK-LABEL: func.func @halves(
// CHECK-COUNT-2: llm.rowwise rows(8) cols(2)
func.func @halves(%a: tensor<8x2xf32>) -> tensor<8x2xf32> {
  %h = llm.rowwise rows(8) cols(2) ins(%a : tensor<8x2xf32>) maps [#rc] indexed_by [-1] outs [0, 0] at [#low, #high] -> (tensor<8x4xf32>) {
  ^bb0(%x: f32):
    %s = arith.negf %x : f32
    llm.yield %x, %s : f32, f32
  }
  %z = llm.rowwise rows(8) cols(2) ins(%h : tensor<8x4xf32>) maps [#rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<8x2xf32>) {
  ^bb0(%x: f32):
    llm.yield %x : f32
  }
  return %z : tensor<8x2xf32>
}

// Refused: a product in between needs the first op's result and feeds the second.
// CHECK-LABEL: func.func @order(
// CHECK: llm.rowwise
// CHECK: llm.matmul
// CHECK: llm.rowwise
func.func @order(%a: tensor<8x4xf32>, %b: tensor<4x4xf32>) -> tensor<8x4xf32> {
  %h = llm.rowwise rows(8) cols(4) ins(%a : tensor<8x4xf32>) maps [#rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<8x4xf32>) {
  ^bb0(%x: f32):
    %s = arith.negf %x : f32
    llm.yield %s : f32
  }
  %y = llm.matmul %h, %b : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %z = llm.rowwise rows(8) cols(4) ins(%h, %y : tensor<8x4xf32>, tensor<8x4xf32>) maps [#rc, #rc] indexed_by [-1, -1] outs [0] at [#rc] -> (tensor<8x4xf32>) {
  ^bb0(%x: f32, %w: f32):
    %s = arith.addf %x, %w : f32
    llm.yield %s : f32
  }
  return %z : tensor<8x4xf32>
}

// Refused: storage that is overwritten before the second op must be read where
// the first one stands.
// CHECK-LABEL: func.func @storage(
// CHECK: %[[H:.*]] = llm.rowwise
// CHECK: llm.flat_clear
// CHECK: llm.rowwise {{.*}} ins(%[[H]]
func.func @storage() -> tensor<1x1024xf32> {
  %g = llm.flat_load gradients : tensor<1x1024xf32>
  %h = llm.rowwise rows(1) cols(1024) ins(%g : tensor<1x1024xf32>) maps [#rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<1x1024xf32>) {
  ^bb0(%x: f32):
    %s = arith.negf %x : f32
    llm.yield %s : f32
  }
  llm.flat_clear gradients : tensor<1x1024xf32>
  %z = llm.rowwise rows(1) cols(1024) ins(%h : tensor<1x1024xf32>) maps [#rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<1x1024xf32>) {
  ^bb0(%x: f32):
    %s = math.exp %x : f32
    llm.yield %s : f32
  }
  return %z : tensor<1x1024xf32>
}

// The same of a pending gradient.
// CHECK-LABEL: func.func @pending(
// CHECK: %[[H:.*]] = llm.rowwise
// CHECK: llm.gradient "a", %{{.*}}
// CHECK: llm.rowwise {{.*}} ins(%[[H]]
func.func @pending(%new: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<2x4xf32>
  %old = llm.pending_gradient "a" : tensor<2x4xf32>
  %h = llm.rowwise rows(2) cols(4) ins(%old : tensor<2x4xf32>) maps [#rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<2x4xf32>) {
  ^bb0(%x: f32):
    %s = arith.negf %x : f32
    llm.yield %s : f32
  }
  llm.gradient "a", %new : tensor<2x4xf32>
  %z = llm.rowwise rows(2) cols(4) ins(%h : tensor<2x4xf32>) maps [#rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<2x4xf32>) {
  ^bb0(%x: f32):
    %s = math.exp %x : f32
    llm.yield %s : f32
  }
  return %z : tensor<2x4xf32>
}

// Refused: the first op computes an index of the second.
// CHECK-LABEL: func.func @computed_index(
// CHECK-COUNT-2: llm.rowwise rows(8) cols(4)
func.func @computed_index(%ids: tensor<8xi32>, %table: tensor<16x4xf32>) -> tensor<8x4xf32> {
  %i = llm.rowwise rows(8) cols(4) ins(%ids : tensor<8xi32>) maps [#r] indexed_by [-1] outs [0] at [#r] -> (tensor<8xi32>) {
  ^bb0(%x: i32):
    %s = arith.addi %x, %x : i32
    llm.yield %s : i32
  }
  %z = llm.rowwise rows(8) cols(4) ins(%i, %table : tensor<8xi32>, tensor<16x4xf32>) maps [#r, #found] indexed_by [-1, 0] outs [0] at [#rc] -> (tensor<8x4xf32>) {
  ^bb0(%n: i32, %x: f32):
    llm.yield %x : f32
  }
  return %z : tensor<8x4xf32>
}
