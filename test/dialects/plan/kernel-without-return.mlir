// A kernel's source op needs no plan.return, until something looks for dead ops.
// RUN: llama-opt %s | FileCheck %s
// RUN: not llama-opt %s --canonicalize 2>&1 | FileCheck %s --check-prefix=DEAD

// CHECK: plan.kernel @swiglu_64 "swiglu" {
// CHECK-NEXT: ^bb0(%[[A:.*]]: tensor<8x64xf32>, %[[B:.*]]: tensor<8x64xf32>):
// CHECK-NEXT: llm.swiglu %[[A]], %[[B]] : tensor<8x64xf32>
// CHECK-NEXT: }
// DEAD: 'plan.kernel' op must hold exactly one source op, not 0
plan.kernel @swiglu_64 "swiglu" {
^bb0(%a: tensor<8x64xf32>, %b: tensor<8x64xf32>):
  %s = llm.swiglu %a, %b : tensor<8x64xf32>
}
