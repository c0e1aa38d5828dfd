// Four kernels over the flat buffers. 20 x 100 and 10 x 10 numbers, each matrix at
// a multiple of 64 bytes, are 3 rows of 1024.
// RUN: llama-opt %s --fuse-lower-optimizer | FileCheck %s --implicit-check-not=llm.optimizer_step

// The squared norm, row by row, then its root.
// CHECK-DAG: #[[RC:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG: #[[R:.*]] = affine_map<(d0, d1) -> (d0)>
// CHECK-DAG: #[[C:.*]] = affine_map<(d0, d1) -> (d1)>
// CHECK-DAG: #[[AT0:.*]] = affine_map<(d0, d1) -> (0)>
// CHECK-DAG: #[[AT1:.*]] = affine_map<(d0, d1) -> (1)>
// CHECK-DAG: #[[AT2:.*]] = affine_map<(d0, d1) -> (2)>
// CHECK-DAG: #[[AT3:.*]] = affine_map<(d0, d1) -> (3)>
// CHECK-DAG: #[[AT4:.*]] = affine_map<(d0, d1) -> (4)>
// CHECK-DAG: #[[AT5:.*]] = affine_map<(d0, d1) -> (5)>
// CHECK-DAG: #[[AT6:.*]] = affine_map<(d0, d1) -> (6)>
// CHECK-DAG: #[[AT7:.*]] = affine_map<(d0, d1) -> (7)>
// CHECK-DAG: #[[AT8:.*]] = affine_map<(d0, d1) -> (8)>
// CHECK-LABEL: func.func @train_8(
// CHECK-SAME: %[[HYPER:[^:]+]]: tensor<8xf64>)
// CHECK: %[[G:.*]] = llm.flat_load gradients : tensor<3x1024xf32>
// CHECK-NEXT: %[[PARTS:.*]] = llm.rowwise rows(3) cols(1024) ins(%[[G]] : tensor<3x1024xf32>) maps [#[[RC]]] indexed_by [-1] outs [0] at [#[[R]]] -> (tensor<3xf32>) {
// CHECK-NEXT: ^{{.*}}(%[[E:.*]]: f32):
// CHECK-NEXT: %[[SQUARE:.*]] = arith.mulf %[[E]], %[[E]] : f32
// CHECK-NEXT: %[[ROW_SUM:.*]] = llm.row_reduce add %[[SQUARE]] : f32
// CHECK-NEXT: llm.yield %[[ROW_SUM]] : f32
// CHECK-NEXT: } {llm.source = "grad_norm_rows"}
// CHECK-NEXT: %[[NORM:.*]] = llm.rowwise rows(1) cols(3) ins(%[[PARTS]] : tensor<3xf32>) maps [#[[C]]] indexed_by [-1] outs [0] at [#[[AT0]]] -> (tensor<1xf32>) {
// CHECK-NEXT: ^{{.*}}(%[[PART:.*]]: f32):
// CHECK-NEXT: %[[SUM:.*]] = llm.row_reduce add %[[PART]] : f32
// CHECK-NEXT: %[[ROOT:.*]] = math.sqrt %[[SUM]] : f32
// CHECK-NEXT: llm.yield %[[ROOT]] : f32
// CHECK-NEXT: } {llm.source = "grad_norm"}

// The schedule in float64, from hyper = learning_rate, warmup, total, beta1,
// beta2, eps, weight decay, max norm, and the state.
// CHECK-NEXT: %[[STEP:.*]] = llm.flat_load step : tensor<1xi64>
// CHECK-NEXT: %[[POWER1:.*]] = llm.flat_load beta1_power : tensor<1xf64>
// CHECK-NEXT: %[[POWER2:.*]] = llm.flat_load beta2_power : tensor<1xf64>
// CHECK-NEXT: %[[S:.*]]:5 = llm.rowwise rows(1) cols(1) ins(%[[HYPER]], %[[HYPER]], %[[HYPER]], %[[HYPER]], %[[HYPER]], %[[HYPER]], %[[HYPER]], %[[HYPER]], %[[STEP]], %[[POWER1]], %[[POWER2]], %[[NORM]] :
// CHECK-SAME: maps [#[[AT0]], #[[AT1]], #[[AT2]], #[[AT3]], #[[AT4]], #[[AT5]], #[[AT6]], #[[AT7]], #[[AT0]], #[[AT0]], #[[AT0]], #[[AT0]]]
// CHECK-SAME: outs [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4] at [#[[AT0]], #[[AT1]], #[[AT2]], #[[AT3]], #[[AT4]], #[[AT5]], #[[AT6]], #[[AT7]], #[[AT8]], #[[AT0]], #[[AT0]], #[[AT0]], #[[AT0]]] -> (tensor<9xf32>, tensor<1xf32>, tensor<1xi64>, tensor<1xf64>, tensor<1xf64>) {
// CHECK-NEXT: ^{{.*}}(%[[LR:[^:]+]]: f64, %[[WARMUP:[^:]+]]: f64, %[[TOTAL:[^:]+]]: f64, %[[BETA1:[^:]+]]: f64, %[[BETA2:[^:]+]]: f64, %[[EPS:[^:]+]]: f64, %[[DECAY:[^:]+]]: f64, %[[MAX:[^:]+]]: f64, %[[T:[^:]+]]: i64, %[[P1:[^:]+]]: f64, %[[P2:[^:]+]]: f64, %[[N:[^:]+]]: f32):
// Rising t / max(1, warmup) while t < warmup, then falling
// max(0, (total - t) / max(1, total - warmup)).
// CHECK-DAG: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f64
// CHECK-DAG: %[[ONE:.*]] = arith.constant 1.000000e+00 : f64
// CHECK: %[[TF:.*]] = arith.sitofp %[[T]] : i64 to f64
// CHECK-NEXT: %[[W1:.*]] = arith.maximumf %[[ONE]], %[[WARMUP]] : f64
// CHECK-NEXT: %[[RISING:.*]] = arith.divf %[[TF]], %[[W1]] : f64
// CHECK-NEXT: %[[REST:.*]] = arith.subf %[[TOTAL]], %[[WARMUP]] : f64
// CHECK-NEXT: %[[REST1:.*]] = arith.maximumf %[[ONE]], %[[REST]] : f64
// CHECK-NEXT: %[[LEFT:.*]] = arith.subf %[[TOTAL]], %[[TF]] : f64
// CHECK-NEXT: %[[SHARE:.*]] = arith.divf %[[LEFT]], %[[REST1]] : f64
// CHECK-NEXT: %[[FALLING:.*]] = arith.maximumf %[[ZERO]], %[[SHARE]] : f64
// CHECK-NEXT: %[[EARLY:.*]] = arith.cmpf olt, %[[TF]], %[[WARMUP]] : f64
// CHECK-NEXT: %[[FACTOR:.*]] = arith.select %[[EARLY]], %[[RISING]], %[[FALLING]] : f64
// CHECK-NEXT: %[[RATE:.*]] = arith.mulf %[[LR]], %[[FACTOR]] : f64
// CHECK-NEXT: %[[NEW1:.*]] = arith.mulf %[[P1]], %[[BETA1]] : f64
// CHECK-NEXT: %[[NEW2:.*]] = arith.mulf %[[P2]], %[[BETA2]] : f64
// min(1, max_norm / (norm + 1e-6)); 0 means no clipping. The update applies if
// the norm is finite.
// CHECK-NEXT: %[[MAXF:.*]] = arith.truncf %[[MAX]] : f64 to f32
// CHECK-NEXT: %[[TINY:.*]] = arith.constant 9.99999997E-7 : f32
// CHECK-NEXT: %[[SOFT:.*]] = arith.addf %[[N]], %[[TINY]] : f32
// CHECK-NEXT: %[[RATIO:.*]] = arith.divf %[[MAXF]], %[[SOFT]] : f32
// CHECK-NEXT: %[[ONEF:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT: %[[ABOVE:.*]] = arith.cmpf olt, %[[RATIO]], %[[ONEF]] : f32
// CHECK-NEXT: %[[CLIP0:.*]] = arith.select %[[ABOVE]], %[[RATIO]], %[[ONEF]] : f32
// CHECK-NEXT: %[[CLIPS:.*]] = arith.cmpf olt, %[[ZERO]], %[[MAX]] : f64
// CHECK-NEXT: %[[CLIP:.*]] = arith.select %[[CLIPS]], %[[CLIP0]], %[[ONEF]] : f32
// CHECK-NEXT: %[[INFINITE:.*]] = arith.constant 0x7F800000 : f32
// CHECK-NEXT: %[[FINITE:.*]] = arith.cmpf olt, %[[N]], %[[INFINITE]] : f32
// 1 - rate * decay, 1 - beta1, beta2, 1 - beta2, rate / (1 - beta1^t),
// sqrt(1 - beta2^t), eps.
// CHECK-NEXT: %[[DECAYED:.*]] = arith.mulf %[[RATE]], %[[DECAY]] : f64
// CHECK-NEXT: %[[KEEP:.*]] = arith.subf %[[ONE]], %[[DECAYED]] : f64
// CHECK-NEXT: %[[KEEPF:.*]] = arith.truncf %[[KEEP]] : f64 to f32
// CHECK-NEXT: %[[REST_1:.*]] = arith.subf %[[ONE]], %[[BETA1]] : f64
// CHECK-NEXT: %[[REST_1F:.*]] = arith.truncf %[[REST_1]] : f64 to f32
// CHECK-NEXT: %[[BETA2F:.*]] = arith.truncf %[[BETA2]] : f64 to f32
// CHECK-NEXT: %[[REST_2:.*]] = arith.subf %[[ONE]], %[[BETA2]] : f64
// CHECK-NEXT: %[[REST_2F:.*]] = arith.truncf %[[REST_2]] : f64 to f32
// CHECK-NEXT: %[[CORRECTION1:.*]] = arith.subf %[[ONE]], %[[NEW1]] : f64
// CHECK-NEXT: %[[SIZE:.*]] = arith.divf %[[RATE]], %[[CORRECTION1]] : f64
// CHECK-NEXT: %[[SIZEF:.*]] = arith.truncf %[[SIZE]] : f64 to f32
// CHECK-NEXT: %[[CORRECTION2:.*]] = arith.subf %[[ONE]], %[[NEW2]] : f64
// CHECK-NEXT: %[[ROOT:.*]] = math.sqrt %[[CORRECTION2]] : f64
// CHECK-NEXT: %[[ROOTF:.*]] = arith.truncf %[[ROOT]] : f64 to f32
// CHECK-NEXT: %[[EPSF:.*]] = arith.truncf %[[EPS]] : f64 to f32
// CHECK-NEXT: %[[NO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[APPLIES:.*]] = arith.select %[[FINITE]], %[[ONEF]], %[[NO]] : f32
// CHECK-NEXT: %[[RATEF:.*]] = arith.truncf %[[RATE]] : f64 to f32
// CHECK-NEXT: %[[INCREMENT:.*]] = arith.constant 1 : i64
// CHECK-NEXT: %[[NEXT:.*]] = arith.addi %[[T]], %[[INCREMENT]] : i64
// CHECK-NEXT: %[[NEXT_T:.*]] = arith.select %[[FINITE]], %[[NEXT]], %[[T]] : i64
// CHECK-NEXT: %[[NEXT1:.*]] = arith.select %[[FINITE]], %[[NEW1]], %[[P1]] : f64
// CHECK-NEXT: %[[NEXT2:.*]] = arith.select %[[FINITE]], %[[NEW2]], %[[P2]] : f64
// CHECK-NEXT: llm.yield %[[CLIP]], %[[KEEPF]], %[[REST_1F]], %[[BETA2F]], %[[REST_2F]], %[[SIZEF]], %[[ROOTF]], %[[EPSF]], %[[APPLIES]], %[[RATEF]], %[[NEXT_T]], %[[NEXT1]], %[[NEXT2]] :
// CHECK-NEXT: } {llm.source = "schedule"}
// CHECK-NEXT: llm.flat_store step, %[[S]]#2
// CHECK-NEXT: llm.flat_store beta1_power, %[[S]]#3
// CHECK-NEXT: llm.flat_store beta2_power, %[[S]]#4

// AdamW, all parameters at once, or what they were.
// CHECK-NEXT: %[[P:.*]] = llm.flat_load parameters : tensor<3x1024xf32>
// CHECK-NEXT: %[[M:.*]] = llm.flat_load first_moments : tensor<3x1024xf32>
// CHECK-NEXT: %[[V:.*]] = llm.flat_load second_moments : tensor<3x1024xf32>
// CHECK-NEXT: %[[NEW:.*]]:3 = llm.rowwise rows(3) cols(1024) ins(%[[P]], %[[G]], %[[M]], %[[V]], %[[S]]#0, %[[S]]#0, %[[S]]#0, %[[S]]#0, %[[S]]#0, %[[S]]#0, %[[S]]#0, %[[S]]#0, %[[S]]#0 :
// CHECK-SAME: maps [#[[RC]], #[[RC]], #[[RC]], #[[RC]], #[[AT0]], #[[AT1]], #[[AT2]], #[[AT3]], #[[AT4]], #[[AT5]], #[[AT6]], #[[AT7]], #[[AT8]]]
// CHECK-SAME: outs [0, 1, 2] at [#[[RC]], #[[RC]], #[[RC]]]
// CHECK-NEXT: ^{{.*}}(%[[P:[^:]+]]: f32, %[[G:[^:]+]]: f32, %[[M:[^:]+]]: f32, %[[V:[^:]+]]: f32, %[[CLIP:[^:]+]]: f32, %[[KEEP:[^:]+]]: f32, %[[ONE_B1:[^:]+]]: f32, %[[B2:[^:]+]]: f32, %[[ONE_B2:[^:]+]]: f32, %[[SIZE:[^:]+]]: f32, %[[ROOT:[^:]+]]: f32, %[[EPS:[^:]+]]: f32, %[[APPLIES:[^:]+]]: f32):
// CHECK-NEXT: %[[CLIPPED:.*]] = arith.mulf %[[G]], %[[CLIP]] : f32
// CHECK-NEXT: %[[KEPT:.*]] = arith.mulf %[[P]], %[[KEEP]] : f32
// CHECK-NEXT: %[[D:.*]] = arith.subf %[[CLIPPED]], %[[M]] : f32
// CHECK-NEXT: %[[DM:.*]] = arith.mulf %[[ONE_B1]], %[[D]] : f32
// CHECK-NEXT: %[[NEWM:.*]] = arith.addf %[[M]], %[[DM]] : f32
// CHECK-NEXT: %[[SQUARE:.*]] = arith.mulf %[[CLIPPED]], %[[CLIPPED]] : f32
// CHECK-NEXT: %[[DV:.*]] = arith.mulf %[[ONE_B2]], %[[SQUARE]] : f32
// CHECK-NEXT: %[[KEPTV:.*]] = arith.mulf %[[V]], %[[B2]] : f32
// CHECK-NEXT: %[[NEWV:.*]] = arith.addf %[[KEPTV]], %[[DV]] : f32
// CHECK-NEXT: %[[SQRT:.*]] = math.sqrt %[[NEWV]] : f32
// CHECK-NEXT: %[[CORRECTED:.*]] = arith.divf %[[SQRT]], %[[ROOT]] : f32
// CHECK-NEXT: %[[DENOMINATOR:.*]] = arith.addf %[[CORRECTED]], %[[EPS]] : f32
// CHECK-NEXT: %[[DIRECTION:.*]] = arith.divf %[[NEWM]], %[[DENOMINATOR]] : f32
// CHECK-NEXT: %[[MOVE:.*]] = arith.mulf %[[SIZE]], %[[DIRECTION]] : f32
// CHECK-NEXT: %[[NEWP:.*]] = arith.subf %[[KEPT]], %[[MOVE]] : f32
// CHECK-NEXT: %[[NOT:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT: %[[IF:.*]] = arith.cmpf ogt, %[[APPLIES]], %[[NOT]] : f32
// CHECK-NEXT: %[[RESULTP:.*]] = arith.select %[[IF]], %[[NEWP]], %[[P]] : f32
// CHECK-NEXT: %[[RESULTM:.*]] = arith.select %[[IF]], %[[NEWM]], %[[M]] : f32
// CHECK-NEXT: %[[RESULTV:.*]] = arith.select %[[IF]], %[[NEWV]], %[[V]] : f32
// CHECK-NEXT: llm.yield %[[RESULTP]], %[[RESULTM]], %[[RESULTV]] : f32, f32, f32
// CHECK-NEXT: } {llm.source = "adamw"}
// CHECK-NEXT: llm.flat_store parameters, %[[NEW]]#0
// CHECK-NEXT: llm.flat_store first_moments, %[[NEW]]#1
// CHECK-NEXT: llm.flat_store second_moments, %[[NEW]]#2
// CHECK-NEXT: llm.flat_clear gradients : tensor<3x1024xf32>
// CHECK-NEXT: return %[[NORM]], %[[S]]#1 :
func.func @train_8(%hyper: tensor<8xf64>) -> (tensor<1xf32>, tensor<1xf32>) {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<20x100xf32>
  %b = llm.parameter "b" init <zero, 0.0> : tensor<10x10xf32>
  %norm, %lr = llm.optimizer_step ["a", "b"] %hyper clear_gradients : tensor<8xf64> -> tensor<1xf32>, tensor<1xf32>
  return %norm, %lr : tensor<1xf32>, tensor<1xf32>
}

// Without accumulation the next step overwrites the gradients itself.
// CHECK-LABEL: func.func @train_16(
// CHECK-NOT: llm.flat_clear
// CHECK: return
func.func @train_16(%hyper: tensor<8xf64>) -> (tensor<1xf32>, tensor<1xf32>) {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<20x100xf32>
  %norm, %lr = llm.optimizer_step ["a"] %hyper : tensor<8xf64> -> tensor<1xf32>, tensor<1xf32>
  return %norm, %lr : tensor<1xf32>, tensor<1xf32>
}
