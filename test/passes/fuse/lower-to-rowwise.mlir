// Every op that is rows, columns and row reductions becomes that. The numbers are
// checked where the kernels run (test/passes/codegen); here the structure.
// RUN: llama-opt %s --fuse-lower-to-rowwise | FileCheck %s
// RUN: llama-opt %s --fuse-lower-to-rowwise | FileCheck %s --check-prefix=NONE --implicit-check-not='llm.add ' --implicit-check-not=llm.rms_norm --implicit-check-not=llm.cross_entropy

// NONE: module
// CHECK-DAG: #[[MAP:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG: #[[MAP1:.*]] = affine_map<(d0, d1) -> (d1)>
// CHECK-DAG: #[[MAP2:.*]] = affine_map<(d0, d1) -> (d0)>
// CHECK-DAG: #[[MAP3:.*]] = affine_map<(d0, d1)[s0] -> (s0, d1)>
// CHECK-DAG: #[[MAP4:.*]] = affine_map<(d0, d1) -> (d0 floordiv 2, (d0 mod 2) * 4 + d1)>
// CHECK-DAG: #[[MAP5:.*]] = affine_map<(d0, d1) -> (d0 floordiv 2, (d0 mod 2) * 4 + d1 + 2)>
// CHECK-DAG: #[[MAP6:.*]] = affine_map<(d0, d1) -> (d0 floordiv 2, d1)>
// CHECK-DAG: #[[MAP7:.*]] = affine_map<(d0, d1) -> (0)>
// CHECK-DAG: #[[MAP8:.*]] = affine_map<(d0, d1) -> (1)>
// CHECK-DAG: #[[MAP9:.*]] = affine_map<(d0, d1)[s0] -> (d0, s0)>

// CHECK-LABEL: func.func @add(
// CHECK-SAME: %[[A:[^:]+]]: tensor<8x4xf32>, %[[B:[^:]+]]: tensor<8x4xf32>) -> tensor<8x4xf32> {
// CHECK-NEXT: %[[ROWWISE:.*]] = llm.rowwise rows(8) cols(4) ins(%[[A]], %[[B]] : tensor<8x4xf32>, tensor<8x4xf32>) maps [#[[MAP]], #[[MAP]]] indexed_by [-1, -1] outs [0] at [#[[MAP]]] -> (tensor<8x4xf32>) {
// CHECK-NEXT: ^{{.*}}(%[[E:.*]]: f32, %[[E1:.*]]: f32):
// CHECK-NEXT: %[[ADDF:.*]] = arith.addf %[[E]], %[[E1]] : f32
// CHECK-NEXT: llm.yield %[[ADDF]] : f32
// CHECK-NEXT: } {llm.source = "add"}
// CHECK-NEXT: return %[[ROWWISE]] : tensor<8x4xf32>
func.func @add(%a: tensor<8x4xf32>, %b: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %s = llm.add %a, %b : tensor<8x4xf32>
  return %s : tensor<8x4xf32>
}

// Sums of vectors are one row.
// CHECK-LABEL: func.func @add_vectors(
// CHECK-SAME: %[[A:[^:]+]]: tensor<6xf32>, %[[B:[^:]+]]: tensor<6xf32>) -> tensor<6xf32> {
// CHECK-NEXT: %[[ROWWISE:.*]] = llm.rowwise rows(1) cols(6) ins(%[[A]], %[[B]] : tensor<6xf32>, tensor<6xf32>) maps [#[[MAP1]], #[[MAP1]]] indexed_by [-1, -1] outs [0] at [#[[MAP1]]] -> (tensor<6xf32>) {
// CHECK-NEXT: ^{{.*}}(%[[E:.*]]: f32, %[[E1:.*]]: f32):
// CHECK-NEXT: %[[ADDF:.*]] = arith.addf %[[E]], %[[E1]] : f32
// CHECK-NEXT: llm.yield %[[ADDF]] : f32
// CHECK-NEXT: } {llm.source = "add"}
// CHECK-NEXT: return %[[ROWWISE]] : tensor<6xf32>
func.func @add_vectors(%a: tensor<6xf32>, %b: tensor<6xf32>) -> tensor<6xf32> {
  %s = llm.add %a, %b : tensor<6xf32>
  return %s : tensor<6xf32>
}

// Rows of the table, found by the ids.
// CHECK-LABEL: func.func @embedding(
// CHECK-SAME: %[[IDS:[^:]+]]: tensor<8xi32>, %[[TABLE:[^:]+]]: tensor<16x4xf32>) -> tensor<8x4xf32> {
// CHECK-NEXT: %[[ROWWISE:.*]] = llm.rowwise rows(8) cols(4) ins(%[[IDS]], %[[TABLE]] : tensor<8xi32>, tensor<16x4xf32>) maps [#[[MAP2]], #[[MAP3]]] indexed_by [-1, 0] outs [0] at [#[[MAP]]] -> (tensor<8x4xf32>) {
// CHECK-NEXT: ^{{.*}}(%[[E:.*]]: i32, %[[E1:.*]]: f32):
// CHECK-NEXT: llm.yield %[[E1]] : f32
// CHECK-NEXT: } {llm.source = "embedding"}
// CHECK-NEXT: return %[[ROWWISE]] : tensor<8x4xf32>
func.func @embedding(%ids: tensor<8xi32>, %table: tensor<16x4xf32>) -> tensor<8x4xf32> {
  %x = llm.embedding %ids, %table : (tensor<8xi32>, tensor<16x4xf32>) -> tensor<8x4xf32>
  return %x : tensor<8x4xf32>
}

// CHECK-LABEL: func.func @rms_norm(
// CHECK-SAME: %[[X:[^:]+]]: tensor<8x4xf32>, %[[W:[^:]+]]: tensor<4xf32>) -> tensor<8x4xf32> {
// CHECK-NEXT: %[[ROWWISE:.*]] = llm.rowwise rows(8) cols(4) ins(%[[X]], %[[W]] : tensor<8x4xf32>, tensor<4xf32>) maps [#[[MAP]], #[[MAP1]]] indexed_by [-1, -1] outs [0] at [#[[MAP]]] -> (tensor<8x4xf32>) {
// CHECK-NEXT: ^{{.*}}(%[[E:.*]]: f32, %[[E1:.*]]: f32):
// CHECK-NEXT: %[[MULF:.*]] = arith.mulf %[[E]], %[[E]] : f32
// CHECK-NEXT: %[[ROW_REDUCE:.*]] = llm.row_reduce add %[[MULF]] : f32
// CHECK-NEXT: %[[C:.*]] = arith.constant 4.000000e+00 : f32
// CHECK-NEXT: %[[DIVF:.*]] = arith.divf %[[ROW_REDUCE]], %[[C]] : f32
// CHECK-NEXT: %[[C1:.*]] = arith.constant 9.99999974E-6 : f32
// CHECK-NEXT: %[[ADDF:.*]] = arith.addf %[[DIVF]], %[[C1]] : f32
// CHECK-NEXT: %[[RSQRT:.*]] = math.rsqrt %[[ADDF]] : f32
// CHECK-NEXT: %[[MULF1:.*]] = arith.mulf %[[E]], %[[RSQRT]] : f32
// CHECK-NEXT: %[[MULF2:.*]] = arith.mulf %[[E1]], %[[MULF1]] : f32
// CHECK-NEXT: llm.yield %[[MULF2]] : f32
// CHECK-NEXT: } {llm.source = "rms_norm"}
// CHECK-NEXT: return %[[ROWWISE]] : tensor<8x4xf32>
func.func @rms_norm(%x: tensor<8x4xf32>, %w: tensor<4xf32>) -> tensor<8x4xf32> {
  %n = llm.rms_norm %x, %w eps 1.0e-05 : tensor<8x4xf32>, tensor<4xf32>
  return %n : tensor<8x4xf32>
}

// CHECK-LABEL: func.func @rms_norm_grad(
// CHECK-SAME: %[[X:[^:]+]]: tensor<8x4xf32>, %[[W:[^:]+]]: tensor<4xf32>, %[[DY:[^:]+]]: tensor<8x4xf32>) -> tensor<8x4xf32> {
// CHECK-NEXT: %[[ROWWISE:.*]] = llm.rowwise rows(8) cols(4) ins(%[[X]], %[[W]], %[[DY]] : tensor<8x4xf32>, tensor<4xf32>, tensor<8x4xf32>) maps [#[[MAP]], #[[MAP1]], #[[MAP]]] indexed_by [-1, -1, -1] outs [0] at [#[[MAP]]] -> (tensor<8x4xf32>) {
// CHECK-NEXT: ^{{.*}}(%[[E:.*]]: f32, %[[E1:.*]]: f32, %[[E2:.*]]: f32):
// CHECK-NEXT: %[[MULF:.*]] = arith.mulf %[[E]], %[[E]] : f32
// CHECK-NEXT: %[[ROW_REDUCE:.*]] = llm.row_reduce add %[[MULF]] : f32
// CHECK-NEXT: %[[C:.*]] = arith.constant 4.000000e+00 : f32
// CHECK-NEXT: %[[DIVF:.*]] = arith.divf %[[ROW_REDUCE]], %[[C]] : f32
// CHECK-NEXT: %[[C1:.*]] = arith.constant 9.99999974E-6 : f32
// CHECK-NEXT: %[[ADDF:.*]] = arith.addf %[[DIVF]], %[[C1]] : f32
// CHECK-NEXT: %[[RSQRT:.*]] = math.rsqrt %[[ADDF]] : f32
// CHECK-NEXT: %[[MULF1:.*]] = arith.mulf %[[E1]], %[[E2]] : f32
// CHECK-NEXT: %[[MULF2:.*]] = arith.mulf %[[MULF1]], %[[E]] : f32
// CHECK-NEXT: %[[ROW_REDUCE1:.*]] = llm.row_reduce add %[[MULF2]] : f32
// CHECK-NEXT: %[[MULF3:.*]] = arith.mulf %[[RSQRT]], %[[RSQRT]] : f32
// CHECK-NEXT: %[[MULF4:.*]] = arith.mulf %[[RSQRT]], %[[MULF3]] : f32
// CHECK-NEXT: %[[C2:.*]] = arith.constant 4.000000e+00 : f32
// CHECK-NEXT: %[[DIVF1:.*]] = arith.divf %[[ROW_REDUCE1]], %[[C2]] : f32
// CHECK-NEXT: %[[MULF5:.*]] = arith.mulf %[[DIVF1]], %[[MULF4]] : f32
// CHECK-NEXT: %[[MULF6:.*]] = arith.mulf %[[E]], %[[MULF5]] : f32
// CHECK-NEXT: %[[MULF7:.*]] = arith.mulf %[[RSQRT]], %[[MULF1]] : f32
// CHECK-NEXT: %[[SUBF:.*]] = arith.subf %[[MULF7]], %[[MULF6]] : f32
// CHECK-NEXT: llm.yield %[[SUBF]] : f32
// CHECK-NEXT: } {llm.source = "rms_norm_grad"}
// CHECK-NEXT: return %[[ROWWISE]] : tensor<8x4xf32>
func.func @rms_norm_grad(%x: tensor<8x4xf32>, %w: tensor<4xf32>, %dy: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %n = llm.rms_norm_grad %x, %w, %dy eps 1.0e-05 : tensor<8x4xf32>, tensor<4xf32>
  return %n : tensor<8x4xf32>
}

// CHECK-LABEL: func.func @swiglu(
// CHECK-SAME: %[[GATE:[^:]+]]: tensor<8x4xf32>, %[[UP:[^:]+]]: tensor<8x4xf32>) -> tensor<8x4xf32> {
// CHECK-NEXT: %[[ROWWISE:.*]] = llm.rowwise rows(8) cols(4) ins(%[[GATE]], %[[UP]] : tensor<8x4xf32>, tensor<8x4xf32>) maps [#[[MAP]], #[[MAP]]] indexed_by [-1, -1] outs [0] at [#[[MAP]]] -> (tensor<8x4xf32>) {
// CHECK-NEXT: ^{{.*}}(%[[E:.*]]: f32, %[[E1:.*]]: f32):
// CHECK-NEXT: %[[NEGF:.*]] = arith.negf %[[E]] : f32
// CHECK-NEXT: %[[EXP:.*]] = math.exp %[[NEGF]] : f32
// CHECK-NEXT: %[[C:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[ADDF:.*]] = arith.addf %[[C]], %[[EXP]] : f32
// CHECK-NEXT: %[[DIVF:.*]] = arith.divf %[[C]], %[[ADDF]] : f32
// CHECK-NEXT: %[[MULF:.*]] = arith.mulf %[[E]], %[[DIVF]] : f32
// CHECK-NEXT: %[[MULF1:.*]] = arith.mulf %[[MULF]], %[[E1]] : f32
// CHECK-NEXT: llm.yield %[[MULF1]] : f32
// CHECK-NEXT: } {llm.source = "swiglu"}
// CHECK-NEXT: return %[[ROWWISE]] : tensor<8x4xf32>
func.func @swiglu(%gate: tensor<8x4xf32>, %up: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %y = llm.swiglu %gate, %up : tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}

// CHECK-LABEL: func.func @swiglu_grad(
// CHECK-SAME: %[[GATE:[^:]+]]: tensor<8x4xf32>, %[[UP:[^:]+]]: tensor<8x4xf32>, %[[DY:[^:]+]]: tensor<8x4xf32>) -> (tensor<8x4xf32>, tensor<8x4xf32>) {
// CHECK-NEXT: %[[ROWWISE:.*]]:2 = llm.rowwise rows(8) cols(4) ins(%[[GATE]], %[[UP]], %[[DY]] : tensor<8x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>) maps [#[[MAP]], #[[MAP]], #[[MAP]]] indexed_by [-1, -1, -1] outs [0, 1] at [#[[MAP]], #[[MAP]]] -> (tensor<8x4xf32>, tensor<8x4xf32>) {
// CHECK-NEXT: ^{{.*}}(%[[E:.*]]: f32, %[[E1:.*]]: f32, %[[E2:.*]]: f32):
// CHECK-NEXT: %[[NEGF:.*]] = arith.negf %[[E]] : f32
// CHECK-NEXT: %[[EXP:.*]] = math.exp %[[NEGF]] : f32
// CHECK-NEXT: %[[C:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[ADDF:.*]] = arith.addf %[[C]], %[[EXP]] : f32
// CHECK-NEXT: %[[DIVF:.*]] = arith.divf %[[C]], %[[ADDF]] : f32
// CHECK-NEXT: %[[C1:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[SUBF:.*]] = arith.subf %[[C1]], %[[DIVF]] : f32
// CHECK-NEXT: %[[MULF:.*]] = arith.mulf %[[E]], %[[SUBF]] : f32
// CHECK-NEXT: %[[ADDF1:.*]] = arith.addf %[[C1]], %[[MULF]] : f32
// CHECK-NEXT: %[[MULF1:.*]] = arith.mulf %[[DIVF]], %[[ADDF1]] : f32
// CHECK-NEXT: %[[MULF2:.*]] = arith.mulf %[[E2]], %[[E1]] : f32
// CHECK-NEXT: %[[MULF3:.*]] = arith.mulf %[[MULF2]], %[[MULF1]] : f32
// CHECK-NEXT: %[[MULF4:.*]] = arith.mulf %[[E]], %[[DIVF]] : f32
// CHECK-NEXT: %[[MULF5:.*]] = arith.mulf %[[E2]], %[[MULF4]] : f32
// CHECK-NEXT: llm.yield %[[MULF3]], %[[MULF5]] : f32, f32
// CHECK-NEXT: } {llm.source = "swiglu_grad"}
// CHECK-NEXT: return %[[ROWWISE]]#0, %[[ROWWISE]]#1 : tensor<8x4xf32>, tensor<8x4xf32>
func.func @swiglu_grad(%gate: tensor<8x4xf32>, %up: tensor<8x4xf32>, %dy: tensor<8x4xf32>) -> (tensor<8x4xf32>, tensor<8x4xf32>) {
  %dgate, %dup = llm.swiglu_grad %gate, %up, %dy : tensor<8x4xf32>
  return %dgate, %dup : tensor<8x4xf32>, tensor<8x4xf32>
}

// CHECK-LABEL: func.func @rope(
// CHECK-SAME: %[[X:[^:]+]]: tensor<8x8xf32>, %[[COS:[^:]+]]: tensor<8x2xf32>, %[[SIN:[^:]+]]: tensor<8x2xf32>) -> tensor<8x8xf32> {
// CHECK-NEXT: %[[ROWWISE:.*]] = llm.rowwise rows(16) cols(2) ins(%[[X]], %[[X]], %[[COS]], %[[SIN]] : tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x2xf32>, tensor<8x2xf32>) maps [#[[MAP4]], #[[MAP5]], #[[MAP6]], #[[MAP6]]] indexed_by [-1, -1, -1, -1] outs [0, 0] at [#[[MAP4]], #[[MAP5]]] -> (tensor<8x8xf32>) {
// CHECK-NEXT: ^{{.*}}(%[[E:.*]]: f32, %[[E1:.*]]: f32, %[[E2:.*]]: f32, %[[E3:.*]]: f32):
// CHECK-NEXT: %[[MULF:.*]] = arith.mulf %[[E1]], %[[E3]] : f32
// CHECK-NEXT: %[[MULF1:.*]] = arith.mulf %[[E]], %[[E2]] : f32
// CHECK-NEXT: %[[SUBF:.*]] = arith.subf %[[MULF1]], %[[MULF]] : f32
// CHECK-NEXT: %[[MULF2:.*]] = arith.mulf %[[E]], %[[E3]] : f32
// CHECK-NEXT: %[[MULF3:.*]] = arith.mulf %[[E1]], %[[E2]] : f32
// CHECK-NEXT: %[[ADDF:.*]] = arith.addf %[[MULF3]], %[[MULF2]] : f32
// CHECK-NEXT: llm.yield %[[SUBF]], %[[ADDF]] : f32, f32
// CHECK-NEXT: } {llm.source = "rope"}
// CHECK-NEXT: return %[[ROWWISE]] : tensor<8x8xf32>
func.func @rope(%x: tensor<8x8xf32>, %cos: tensor<8x2xf32>, %sin: tensor<8x2xf32>) -> tensor<8x8xf32> {
  %y = llm.rope %x, %cos, %sin : tensor<8x8xf32>, tensor<8x2xf32>
  return %y : tensor<8x8xf32>
}

// CHECK-LABEL: func.func @rope_back(
// CHECK-SAME: %[[X:[^:]+]]: tensor<8x8xf32>, %[[COS:[^:]+]]: tensor<8x2xf32>, %[[SIN:[^:]+]]: tensor<8x2xf32>) -> tensor<8x8xf32> {
// CHECK-NEXT: %[[ROWWISE:.*]] = llm.rowwise rows(16) cols(2) ins(%[[X]], %[[X]], %[[COS]], %[[SIN]] : tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x2xf32>, tensor<8x2xf32>) maps [#[[MAP4]], #[[MAP5]], #[[MAP6]], #[[MAP6]]] indexed_by [-1, -1, -1, -1] outs [0, 0] at [#[[MAP4]], #[[MAP5]]] -> (tensor<8x8xf32>) {
// CHECK-NEXT: ^{{.*}}(%[[E:.*]]: f32, %[[E1:.*]]: f32, %[[E2:.*]]: f32, %[[E3:.*]]: f32):
// CHECK-NEXT: %[[NEGF:.*]] = arith.negf %[[E3]] : f32
// CHECK-NEXT: %[[MULF:.*]] = arith.mulf %[[E1]], %[[NEGF]] : f32
// CHECK-NEXT: %[[MULF1:.*]] = arith.mulf %[[E]], %[[E2]] : f32
// CHECK-NEXT: %[[SUBF:.*]] = arith.subf %[[MULF1]], %[[MULF]] : f32
// CHECK-NEXT: %[[MULF2:.*]] = arith.mulf %[[E]], %[[NEGF]] : f32
// CHECK-NEXT: %[[MULF3:.*]] = arith.mulf %[[E1]], %[[E2]] : f32
// CHECK-NEXT: %[[ADDF:.*]] = arith.addf %[[MULF3]], %[[MULF2]] : f32
// CHECK-NEXT: llm.yield %[[SUBF]], %[[ADDF]] : f32, f32
// CHECK-NEXT: } {llm.source = "rope"}
// CHECK-NEXT: return %[[ROWWISE]] : tensor<8x8xf32>
func.func @rope_back(%x: tensor<8x8xf32>, %cos: tensor<8x2xf32>, %sin: tensor<8x2xf32>) -> tensor<8x8xf32> {
  %y = llm.rope %x, %cos, %sin inverse : tensor<8x8xf32>, tensor<8x2xf32>
  return %y : tensor<8x8xf32>
}

// CHECK-LABEL: func.func @rope_table(
// CHECK-SAME: %[[POSITIONS:[^:]+]]: tensor<8xi32>) -> (tensor<8x2xf32>, tensor<8x2xf32>) {
// CHECK-NEXT: %[[CONSTANT:.*]] = llm.constant dense<{{\[\[}}1.000000e+00, 1.000000e+00], [0.540302277, 0.999949991], [-0.416146845, 9.998000e-01], [-0.989992499, 0.999550044]]> : tensor<4x2xf32> : tensor<4x2xf32>
// CHECK-NEXT: %[[CONSTANT1:.*]] = llm.constant dense<{{\[\[}}0.000000e+00, 0.000000e+00], [0.841470957, 0.00999983306], [0.909297406, 0.0199986659], [1.411200e-01, 2.999550e-02]]> : tensor<4x2xf32> : tensor<4x2xf32>
// CHECK-NEXT: %[[ROWWISE:.*]]:2 = llm.rowwise rows(8) cols(2) ins(%[[POSITIONS]], %[[CONSTANT]], %[[CONSTANT1]] : tensor<8xi32>, tensor<4x2xf32>, tensor<4x2xf32>) maps [#[[MAP2]], #[[MAP3]], #[[MAP3]]] indexed_by [-1, 0, 0] outs [0, 1] at [#[[MAP]], #[[MAP]]] -> (tensor<8x2xf32>, tensor<8x2xf32>) {
// CHECK-NEXT: ^{{.*}}(%[[E:.*]]: i32, %[[E1:.*]]: f32, %[[E2:.*]]: f32):
// CHECK-NEXT: llm.yield %[[E1]], %[[E2]] : f32, f32
// CHECK-NEXT: } {llm.source = "rope_table"}
// CHECK-NEXT: return %[[ROWWISE]]#0, %[[ROWWISE]]#1 : tensor<8x2xf32>, tensor<8x2xf32>
func.func @rope_table(%positions: tensor<8xi32>) -> (tensor<8x2xf32>, tensor<8x2xf32>) {
  %cos, %sin = llm.rope_table %positions theta 1.0e+04 max_positions 4 : tensor<8xi32> -> tensor<8x2xf32>
  return %cos, %sin : tensor<8x2xf32>, tensor<8x2xf32>
}

// CHECK-LABEL: func.func @gather_rows(
// CHECK-SAME: %[[X:[^:]+]]: tensor<8x4xf32>, %[[LAST:[^:]+]]: tensor<2xi32>, %[[POOL:[^:]+]]: tensor<8xi32>) -> tensor<2x4xf32> {
// CHECK-NEXT: %[[ROWWISE:.*]] = llm.rowwise rows(2) cols(4) ins(%[[LAST]], %[[X]] : tensor<2xi32>, tensor<8x4xf32>) maps [#[[MAP2]], #[[MAP3]]] indexed_by [-1, 0] outs [0] at [#[[MAP]]] -> (tensor<2x4xf32>) {
// CHECK-NEXT: ^{{.*}}(%[[E:.*]]: i32, %[[E1:.*]]: f32):
// CHECK-NEXT: llm.yield %[[E1]] : f32
// CHECK-NEXT: } {llm.source = "gather_rows"}
// CHECK-NEXT: return %[[ROWWISE]] : tensor<2x4xf32>
func.func @gather_rows(%x: tensor<8x4xf32>, %last: tensor<2xi32>, %pool: tensor<8xi32>) -> tensor<2x4xf32> {
  %p = llm.gather_rows %x, %last, %pool : (tensor<8x4xf32>, tensor<2xi32>, tensor<8xi32>) -> tensor<2x4xf32>
  return %p : tensor<2x4xf32>
}

// Rows that nobody gathered get zero.
// CHECK-LABEL: func.func @scatter_rows(
// CHECK-SAME: %[[DY:[^:]+]]: tensor<2x4xf32>, %[[POOL:[^:]+]]: tensor<8xi32>) -> tensor<8x4xf32> {
// CHECK-NEXT: %[[ROWWISE:.*]] = llm.rowwise rows(8) cols(4) ins(%[[POOL]], %[[DY]] : tensor<8xi32>, tensor<2x4xf32>) maps [#[[MAP2]], #[[MAP3]]] indexed_by [-1, 0] outs [0] at [#[[MAP]]] -> (tensor<8x4xf32>) {
// CHECK-NEXT: ^{{.*}}(%[[E:.*]]: i32, %[[E1:.*]]: f32):
// CHECK-NEXT: %[[C:.*]] = arith.constant 0 : i32
// CHECK-NEXT: %[[CMPI:.*]] = arith.cmpi sge, %[[E]], %[[C]] : i32
// CHECK-NEXT: %[[C1:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[SELECT:.*]] = arith.select %[[CMPI]], %[[E1]], %[[C1]] : f32
// CHECK-NEXT: llm.yield %[[SELECT]] : f32
// CHECK-NEXT: } {llm.source = "scatter_rows"}
// CHECK-NEXT: return %[[ROWWISE]] : tensor<8x4xf32>
func.func @scatter_rows(%dy: tensor<2x4xf32>, %pool: tensor<8xi32>) -> tensor<8x4xf32> {
  %dx = llm.scatter_rows %dy, %pool : (tensor<2x4xf32>, tensor<8xi32>) -> tensor<8x4xf32>
  return %dx : tensor<8x4xf32>
}

// CHECK-LABEL: func.func @dropout(
// CHECK-SAME: %[[X:[^:]+]]: tensor<8x4xf32>, %[[RANDOM:[^:]+]]: tensor<2xi64>) -> tensor<8x4xf32> {
// CHECK-NEXT: %[[ROWWISE:.*]] = llm.rowwise rows(8) cols(4) ins(%[[X]], %[[RANDOM]], %[[RANDOM]] : tensor<8x4xf32>, tensor<2xi64>, tensor<2xi64>) maps [#[[MAP]], #[[MAP7]], #[[MAP8]]] indexed_by [-1, -1, -1] outs [0] at [#[[MAP]]] -> (tensor<8x4xf32>) {
// CHECK-NEXT: ^{{.*}}(%[[E:.*]]: f32, %[[E1:.*]]: i64, %[[E2:.*]]: i64):
// CHECK-NEXT: %[[C:.*]] = arith.constant 5141242883770483762 : i64
// CHECK-NEXT: %[[ADDI:.*]] = arith.addi %[[E1]], %[[C]] : i64
// CHECK-NEXT: %[[C1:.*]] = arith.constant 30 : i64
// CHECK-NEXT: %[[SHRUI:.*]] = arith.shrui %[[ADDI]], %[[C1]] : i64
// CHECK-NEXT: %[[XORI:.*]] = arith.xori %[[ADDI]], %[[SHRUI]] : i64
// CHECK-NEXT: %[[C2:.*]] = arith.constant -4658895280553007687 : i64
// CHECK-NEXT: %[[MULI:.*]] = arith.muli %[[XORI]], %[[C2]] : i64
// CHECK-NEXT: %[[C3:.*]] = arith.constant 27 : i64
// CHECK-NEXT: %[[SHRUI1:.*]] = arith.shrui %[[MULI]], %[[C3]] : i64
// CHECK-NEXT: %[[XORI1:.*]] = arith.xori %[[MULI]], %[[SHRUI1]] : i64
// CHECK-NEXT: %[[C4:.*]] = arith.constant -7723592293110705685 : i64
// CHECK-NEXT: %[[MULI1:.*]] = arith.muli %[[XORI1]], %[[C4]] : i64
// CHECK-NEXT: %[[C5:.*]] = arith.constant 31 : i64
// CHECK-NEXT: %[[SHRUI2:.*]] = arith.shrui %[[MULI1]], %[[C5]] : i64
// CHECK-NEXT: %[[XORI2:.*]] = arith.xori %[[MULI1]], %[[SHRUI2]] : i64
// CHECK-NEXT: %[[C6:.*]] = arith.constant 1 : i64
// CHECK-NEXT: %[[ADDI1:.*]] = arith.addi %[[E2]], %[[C6]] : i64
// CHECK-NEXT: %[[C7:.*]] = arith.constant -7046029254386353131 : i64
// CHECK-NEXT: %[[MULI2:.*]] = arith.muli %[[ADDI1]], %[[C7]] : i64
// CHECK-NEXT: %[[ADDI2:.*]] = arith.addi %[[XORI2]], %[[MULI2]] : i64
// CHECK-NEXT: %[[C8:.*]] = arith.constant 30 : i64
// CHECK-NEXT: %[[SHRUI3:.*]] = arith.shrui %[[ADDI2]], %[[C8]] : i64
// CHECK-NEXT: %[[XORI3:.*]] = arith.xori %[[ADDI2]], %[[SHRUI3]] : i64
// CHECK-NEXT: %[[C9:.*]] = arith.constant -4658895280553007687 : i64
// CHECK-NEXT: %[[MULI3:.*]] = arith.muli %[[XORI3]], %[[C9]] : i64
// CHECK-NEXT: %[[C10:.*]] = arith.constant 27 : i64
// CHECK-NEXT: %[[SHRUI4:.*]] = arith.shrui %[[MULI3]], %[[C10]] : i64
// CHECK-NEXT: %[[XORI4:.*]] = arith.xori %[[MULI3]], %[[SHRUI4]] : i64
// CHECK-NEXT: %[[C11:.*]] = arith.constant -7723592293110705685 : i64
// CHECK-NEXT: %[[MULI4:.*]] = arith.muli %[[XORI4]], %[[C11]] : i64
// CHECK-NEXT: %[[C12:.*]] = arith.constant 31 : i64
// CHECK-NEXT: %[[SHRUI5:.*]] = arith.shrui %[[MULI4]], %[[C12]] : i64
// CHECK-NEXT: %[[XORI5:.*]] = arith.xori %[[MULI4]], %[[SHRUI5]] : i64
// CHECK-NEXT: %[[ROW_INDEX:.*]] = llm.row_index : i64
// CHECK-NEXT: %[[COLUMN_INDEX:.*]] = llm.column_index : i64
// CHECK-NEXT: %[[C13:.*]] = arith.constant 4 : i64
// CHECK-NEXT: %[[MULI5:.*]] = arith.muli %[[ROW_INDEX]], %[[C13]] : i64
// CHECK-NEXT: %[[ADDI3:.*]] = arith.addi %[[MULI5]], %[[COLUMN_INDEX]] : i64
// CHECK-NEXT: %[[C14:.*]] = arith.constant 1 : i64
// CHECK-NEXT: %[[ADDI4:.*]] = arith.addi %[[ADDI3]], %[[C14]] : i64
// CHECK-NEXT: %[[C15:.*]] = arith.constant -7046029254386353131 : i64
// CHECK-NEXT: %[[MULI6:.*]] = arith.muli %[[ADDI4]], %[[C15]] : i64
// CHECK-NEXT: %[[ADDI5:.*]] = arith.addi %[[XORI5]], %[[MULI6]] : i64
// CHECK-NEXT: %[[C16:.*]] = arith.constant 30 : i64
// CHECK-NEXT: %[[SHRUI6:.*]] = arith.shrui %[[ADDI5]], %[[C16]] : i64
// CHECK-NEXT: %[[XORI6:.*]] = arith.xori %[[ADDI5]], %[[SHRUI6]] : i64
// CHECK-NEXT: %[[C17:.*]] = arith.constant -4658895280553007687 : i64
// CHECK-NEXT: %[[MULI7:.*]] = arith.muli %[[XORI6]], %[[C17]] : i64
// CHECK-NEXT: %[[C18:.*]] = arith.constant 27 : i64
// CHECK-NEXT: %[[SHRUI7:.*]] = arith.shrui %[[MULI7]], %[[C18]] : i64
// CHECK-NEXT: %[[XORI7:.*]] = arith.xori %[[MULI7]], %[[SHRUI7]] : i64
// CHECK-NEXT: %[[C19:.*]] = arith.constant -7723592293110705685 : i64
// CHECK-NEXT: %[[MULI8:.*]] = arith.muli %[[XORI7]], %[[C19]] : i64
// CHECK-NEXT: %[[C20:.*]] = arith.constant 31 : i64
// CHECK-NEXT: %[[SHRUI8:.*]] = arith.shrui %[[MULI8]], %[[C20]] : i64
// CHECK-NEXT: %[[XORI8:.*]] = arith.xori %[[MULI8]], %[[SHRUI8]] : i64
// CHECK-NEXT: %[[C21:.*]] = arith.constant 40 : i64
// CHECK-NEXT: %[[SHRUI9:.*]] = arith.shrui %[[XORI8]], %[[C21]] : i64
// CHECK-NEXT: %[[C22:.*]] = arith.constant 4194304 : i64
// CHECK-NEXT: %[[CMPI:.*]] = arith.cmpi sge, %[[SHRUI9]], %[[C22]] : i64
// CHECK-NEXT: %[[C23:.*]] = arith.constant 1.33333337 : f32
// CHECK-NEXT: %[[MULF:.*]] = arith.mulf %[[E]], %[[C23]] : f32
// CHECK-NEXT: %[[C24:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[SELECT:.*]] = arith.select %[[CMPI]], %[[MULF]], %[[C24]] : f32
// CHECK-NEXT: llm.yield %[[SELECT]] : f32
// CHECK-NEXT: } {llm.source = "dropout"}
// CHECK-NEXT: return %[[ROWWISE]] : tensor<8x4xf32>
func.func @dropout(%x: tensor<8x4xf32>, %random: tensor<2xi64>) -> tensor<8x4xf32> {
  %y = llm.dropout %x, %random key "k" p 0.25 : tensor<8x4xf32>, tensor<2xi64>
  return %y : tensor<8x4xf32>
}

// CHECK-LABEL: func.func @cross_entropy(
// CHECK-SAME: %[[Z:[^:]+]]: tensor<8x4xf32>, %[[LABELS:[^:]+]]: tensor<8xi32>, %[[SCALE:[^:]+]]: tensor<1xf32>) -> tensor<1xf32> {
// CHECK-NEXT: %[[ROWWISE:.*]] = llm.rowwise rows(8) cols(4) ins(%[[Z]], %[[LABELS]], %[[SCALE]], %[[Z]] : tensor<8x4xf32>, tensor<8xi32>, tensor<1xf32>, tensor<8x4xf32>) maps [#[[MAP]], #[[MAP2]], #[[MAP7]], #[[MAP9]]] indexed_by [-1, -1, -1, 1] outs [0] at [#[[MAP2]]] -> (tensor<8xf32>) {
// CHECK-NEXT: ^{{.*}}(%[[E:.*]]: f32, %[[E1:.*]]: i32, %[[E2:.*]]: f32, %[[E3:.*]]: f32):
// CHECK-NEXT: %[[ROW_REDUCE:.*]] = llm.row_reduce max %[[E]] : f32
// CHECK-NEXT: %[[SUBF:.*]] = arith.subf %[[E]], %[[ROW_REDUCE]] : f32
// CHECK-NEXT: %[[EXP:.*]] = math.exp %[[SUBF]] : f32
// CHECK-NEXT: %[[ROW_REDUCE1:.*]] = llm.row_reduce add %[[EXP]] : f32
// CHECK-NEXT: %[[LOG:.*]] = math.log %[[ROW_REDUCE1]] : f32
// CHECK-NEXT: %[[ADDF:.*]] = arith.addf %[[ROW_REDUCE]], %[[LOG]] : f32
// CHECK-NEXT: %[[SUBF1:.*]] = arith.subf %[[ADDF]], %[[E3]] : f32
// CHECK-NEXT: %[[MULF:.*]] = arith.mulf %[[SUBF1]], %[[E2]] : f32
// CHECK-NEXT: %[[C:.*]] = arith.constant 0 : i32
// CHECK-NEXT: %[[CMPI:.*]] = arith.cmpi sge, %[[E1]], %[[C]] : i32
// CHECK-NEXT: %[[C1:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[SELECT:.*]] = arith.select %[[CMPI]], %[[MULF]], %[[C1]] : f32
// CHECK-NEXT: llm.yield %[[SELECT]] : f32
// CHECK-NEXT: } {llm.source = "cross_entropy"}
// CHECK-NEXT: %[[ROWWISE1:.*]] = llm.rowwise rows(1) cols(8) ins(%[[ROWWISE]] : tensor<8xf32>) maps [#[[MAP1]]] indexed_by [-1] outs [0] at [#[[MAP7]]] -> (tensor<1xf32>) {
// CHECK-NEXT: ^{{.*}}(%[[E4:.*]]: f32):
// CHECK-NEXT: %[[ROW_REDUCE2:.*]] = llm.row_reduce add %[[E4]] : f32
// CHECK-NEXT: llm.yield %[[ROW_REDUCE2]] : f32
// CHECK-NEXT: } {llm.source = "cross_entropy"}
// CHECK-NEXT: return %[[ROWWISE1]] : tensor<1xf32>
func.func @cross_entropy(%z: tensor<8x4xf32>, %labels: tensor<8xi32>, %scale: tensor<1xf32>) -> tensor<1xf32> {
  %loss = llm.cross_entropy %z, %labels, %scale : tensor<8x4xf32>, tensor<8xi32>, tensor<1xf32> -> tensor<1xf32>
  return %loss : tensor<1xf32>
}

// CHECK-LABEL: func.func @cross_entropy_grad(
// CHECK-SAME: %[[Z:[^:]+]]: tensor<8x4xf32>, %[[LABELS:[^:]+]]: tensor<8xi32>, %[[SCALE:[^:]+]]: tensor<1xf32>, %[[DLOSS:[^:]+]]: tensor<1xf32>) -> tensor<8x4xf32> {
// CHECK-NEXT: %[[ROWWISE:.*]] = llm.rowwise rows(8) cols(4) ins(%[[Z]], %[[LABELS]], %[[SCALE]], %[[DLOSS]] : tensor<8x4xf32>, tensor<8xi32>, tensor<1xf32>, tensor<1xf32>) maps [#[[MAP]], #[[MAP2]], #[[MAP7]], #[[MAP7]]] indexed_by [-1, -1, -1, -1] outs [0] at [#[[MAP]]] -> (tensor<8x4xf32>) {
// CHECK-NEXT: ^{{.*}}(%[[E:.*]]: f32, %[[E1:.*]]: i32, %[[E2:.*]]: f32, %[[E3:.*]]: f32):
// CHECK-NEXT: %[[ROW_REDUCE:.*]] = llm.row_reduce max %[[E]] : f32
// CHECK-NEXT: %[[SUBF:.*]] = arith.subf %[[E]], %[[ROW_REDUCE]] : f32
// CHECK-NEXT: %[[EXP:.*]] = math.exp %[[SUBF]] : f32
// CHECK-NEXT: %[[ROW_REDUCE1:.*]] = llm.row_reduce add %[[EXP]] : f32
// CHECK-NEXT: %[[C:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[DIVF:.*]] = arith.divf %[[C]], %[[ROW_REDUCE1]] : f32
// CHECK-NEXT: %[[MULF:.*]] = arith.mulf %[[EXP]], %[[DIVF]] : f32
// CHECK-NEXT: %[[COLUMN_INDEX:.*]] = llm.column_index : i64
// CHECK-NEXT: %[[EXTSI:.*]] = arith.extsi %[[E1]] : i32 to i64
// CHECK-NEXT: %[[CMPI:.*]] = arith.cmpi eq, %[[COLUMN_INDEX]], %[[EXTSI]] : i64
// CHECK-NEXT: %[[C1:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[C2:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[SELECT:.*]] = arith.select %[[CMPI]], %[[C1]], %[[C2]] : f32
// CHECK-NEXT: %[[SUBF1:.*]] = arith.subf %[[MULF]], %[[SELECT]] : f32
// CHECK-NEXT: %[[MULF1:.*]] = arith.mulf %[[E3]], %[[E2]] : f32
// CHECK-NEXT: %[[MULF2:.*]] = arith.mulf %[[MULF1]], %[[SUBF1]] : f32
// CHECK-NEXT: %[[C3:.*]] = arith.constant 0 : i32
// CHECK-NEXT: %[[CMPI1:.*]] = arith.cmpi sge, %[[E1]], %[[C3]] : i32
// CHECK-NEXT: %[[C4:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[SELECT1:.*]] = arith.select %[[CMPI1]], %[[MULF2]], %[[C4]] : f32
// CHECK-NEXT: llm.yield %[[SELECT1]] : f32
// CHECK-NEXT: } {llm.source = "cross_entropy_grad"}
// CHECK-NEXT: return %[[ROWWISE]] : tensor<8x4xf32>
func.func @cross_entropy_grad(%z: tensor<8x4xf32>, %labels: tensor<8xi32>, %scale: tensor<1xf32>, %dloss: tensor<1xf32>) -> tensor<8x4xf32> {
  %dz = llm.cross_entropy_grad %z, %labels, %scale, %dloss : tensor<8x4xf32>, tensor<8xi32>, tensor<1xf32>, tensor<1xf32>
  return %dz : tensor<8x4xf32>
}

// CHECK-LABEL: func.func @mse(
// CHECK-SAME: %[[Z:[^:]+]]: tensor<8x1xf32>, %[[LABELS:[^:]+]]: tensor<8xf32>, %[[SCALE:[^:]+]]: tensor<1xf32>) -> tensor<1xf32> {
// CHECK-NEXT: %[[ROWWISE:.*]] = llm.rowwise rows(8) cols(1) ins(%[[Z]], %[[LABELS]], %[[SCALE]] : tensor<8x1xf32>, tensor<8xf32>, tensor<1xf32>) maps [#[[MAP]], #[[MAP2]], #[[MAP7]]] indexed_by [-1, -1, -1] outs [0] at [#[[MAP2]]] -> (tensor<8xf32>) {
// CHECK-NEXT: ^{{.*}}(%[[E:.*]]: f32, %[[E1:.*]]: f32, %[[E2:.*]]: f32):
// CHECK-NEXT: %[[SUBF:.*]] = arith.subf %[[E]], %[[E1]] : f32
// CHECK-NEXT: %[[MULF:.*]] = arith.mulf %[[SUBF]], %[[SUBF]] : f32
// CHECK-NEXT: %[[MULF1:.*]] = arith.mulf %[[MULF]], %[[E2]] : f32
// CHECK-NEXT: %[[CMPF:.*]] = arith.cmpf ord, %[[E1]], %[[E1]] : f32
// CHECK-NEXT: %[[C:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[SELECT:.*]] = arith.select %[[CMPF]], %[[MULF1]], %[[C]] : f32
// CHECK-NEXT: llm.yield %[[SELECT]] : f32
// CHECK-NEXT: } {llm.source = "mse"}
// CHECK-NEXT: %[[ROWWISE1:.*]] = llm.rowwise rows(1) cols(8) ins(%[[ROWWISE]] : tensor<8xf32>) maps [#[[MAP1]]] indexed_by [-1] outs [0] at [#[[MAP7]]] -> (tensor<1xf32>) {
// CHECK-NEXT: ^{{.*}}(%[[E3:.*]]: f32):
// CHECK-NEXT: %[[ROW_REDUCE:.*]] = llm.row_reduce add %[[E3]] : f32
// CHECK-NEXT: llm.yield %[[ROW_REDUCE]] : f32
// CHECK-NEXT: } {llm.source = "mse"}
// CHECK-NEXT: return %[[ROWWISE1]] : tensor<1xf32>
func.func @mse(%z: tensor<8x1xf32>, %labels: tensor<8xf32>, %scale: tensor<1xf32>) -> tensor<1xf32> {
  %loss = llm.mse %z, %labels, %scale : tensor<8x1xf32>, tensor<8xf32>, tensor<1xf32> -> tensor<1xf32>
  return %loss : tensor<1xf32>
}

// CHECK-LABEL: func.func @mse_grad(
// CHECK-SAME: %[[Z:[^:]+]]: tensor<8x1xf32>, %[[LABELS:[^:]+]]: tensor<8xf32>, %[[SCALE:[^:]+]]: tensor<1xf32>, %[[DLOSS:[^:]+]]: tensor<1xf32>) -> tensor<8x1xf32> {
// CHECK-NEXT: %[[ROWWISE:.*]] = llm.rowwise rows(8) cols(1) ins(%[[Z]], %[[LABELS]], %[[SCALE]], %[[DLOSS]] : tensor<8x1xf32>, tensor<8xf32>, tensor<1xf32>, tensor<1xf32>) maps [#[[MAP]], #[[MAP2]], #[[MAP7]], #[[MAP7]]] indexed_by [-1, -1, -1, -1] outs [0] at [#[[MAP]]] -> (tensor<8x1xf32>) {
// CHECK-NEXT: ^{{.*}}(%[[E:.*]]: f32, %[[E1:.*]]: f32, %[[E2:.*]]: f32, %[[E3:.*]]: f32):
// CHECK-NEXT: %[[C:.*]] = arith.constant 2.000000e+00 : f32
// CHECK-NEXT: %[[SUBF:.*]] = arith.subf %[[E]], %[[E1]] : f32
// CHECK-NEXT: %[[MULF:.*]] = arith.mulf %[[SUBF]], %[[C]] : f32
// CHECK-NEXT: %[[MULF1:.*]] = arith.mulf %[[E3]], %[[E2]] : f32
// CHECK-NEXT: %[[MULF2:.*]] = arith.mulf %[[MULF1]], %[[MULF]] : f32
// CHECK-NEXT: %[[CMPF:.*]] = arith.cmpf ord, %[[E1]], %[[E1]] : f32
// CHECK-NEXT: %[[C1:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[SELECT:.*]] = arith.select %[[CMPF]], %[[MULF2]], %[[C1]] : f32
// CHECK-NEXT: llm.yield %[[SELECT]] : f32
// CHECK-NEXT: } {llm.source = "mse_grad"}
// CHECK-NEXT: return %[[ROWWISE]] : tensor<8x1xf32>
func.func @mse_grad(%z: tensor<8x1xf32>, %labels: tensor<8xf32>, %scale: tensor<1xf32>, %dloss: tensor<1xf32>) -> tensor<8x1xf32> {
  %dz = llm.mse_grad %z, %labels, %scale, %dloss : tensor<8x1xf32>, tensor<8xf32>, tensor<1xf32>, tensor<1xf32>
  return %dz : tensor<8x1xf32>
}
