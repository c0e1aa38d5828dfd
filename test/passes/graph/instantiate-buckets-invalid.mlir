// RUN: llama-opt %s --graph-instantiate-buckets=buckets=8,16 -split-input-file -verify-diagnostics
// RUN: llama-opt %s --graph-attach-head=batch=2 --graph-instantiate-buckets=buckets=8 | FileCheck %s --check-prefix=OK
// RUN: not llama-opt %s --graph-attach-head=batch=2 --graph-instantiate-buckets 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not llama-opt %s --graph-attach-head=batch=2 --graph-instantiate-buckets=buckets=16,8 2>&1 | FileCheck %s --check-prefix=ORDER
// RUN: not llama-opt %s --graph-attach-head=batch=2 --graph-instantiate-buckets=buckets=8,8 2>&1 | FileCheck %s --check-prefix=TWICE
// RUN: not llama-opt %s --graph-attach-head=batch=2 --graph-instantiate-buckets=buckets=0 2>&1 | FileCheck %s --check-prefix=ZERO

// OK: @train_8
// NONE: error: no token buckets given
// ORDER: error: token buckets must be positive and ascending, but 8 follows 16
// TWICE: error: token buckets must be positive and ascending, but 8 follows 8
// ZERO: error: token buckets must be positive and ascending, but 0 follows 0

// A model file without a head.
// expected-error @+1 {{needs @model and llm.task: run graph-attach-head first}}
module {
  func.func @hidden(%ids: tensor<?xi32>, %positions: tensor<?xi32>, %cu: tensor<?xi32>) -> tensor<?x4xf32> {
    %t = llm.weight "embed" : tensor<16x4xf32>
    %x = llm.embedding %ids, %t : (tensor<?xi32>, tensor<16x4xf32>) -> tensor<?x4xf32>
    return %x : tensor<?x4xf32>
  }
}
