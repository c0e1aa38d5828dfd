// Wrong options in general, then model files without what a head needs.
// RUN: llama-opt %s --graph-attach-head="head=causal_lm" -split-input-file -verify-diagnostics
// RUN: not llama-opt %s --graph-attach-head="head=tagging" 2>&1 | FileCheck %s --check-prefix=HEAD
// RUN: not llama-opt %s --graph-attach-head="batch=0" 2>&1 | FileCheck %s --check-prefix=SIZE
// RUN: not llama-opt %s --graph-attach-head="max-length=-1" 2>&1 | FileCheck %s --check-prefix=SIZE
// RUN: not llama-opt %s --graph-attach-head="accumulation=0" 2>&1 | FileCheck %s --check-prefix=SIZE
// RUN: not llama-opt %s --graph-attach-head="labels=0" 2>&1 | FileCheck %s --check-prefix=SIZE

// HEAD: error: unknown head 'tagging': classification, regression or causal_lm
// SIZE: error: batch, max-length, accumulation and labels must be positive

// expected-error @+1 {{a model file has a function @hidden(input_ids, positions, cu_seqlens), each tensor<?xi32>, with one result, tensor<?xNxf32>}}
module {
}

// -----

// An argument too many.
// expected-error @+1 {{a model file has a function @hidden(input_ids, positions, cu_seqlens)}}
module {
  func.func @hidden(%a: tensor<?xi32>, %b: tensor<?xi32>, %c: tensor<?xi32>, %x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    return %x : tensor<?x4xf32>
  }
}

// -----

// Arguments of other types.
// expected-error @+1 {{a model file has a function @hidden(input_ids, positions, cu_seqlens)}}
module {
  func.func @hidden(%x: tensor<?x4xf32>, %b: tensor<?xi32>, %c: tensor<?xi32>) -> tensor<?x4xf32> {
    return %x : tensor<?x4xf32>
  }
}

// -----

// A result that is no matrix.
// expected-error @+1 {{a model file has a function @hidden(input_ids, positions, cu_seqlens)}}
module {
  func.func @hidden(%a: tensor<?xi32>, %b: tensor<?xi32>, %c: tensor<?xi32>) -> tensor<?xi32> {
    return %a : tensor<?xi32>
  }
}

// -----

// No body.
// expected-error @+1 {{a model file has a function @hidden(input_ids, positions, cu_seqlens)}}
module {
  func.func private @hidden(tensor<?xi32>, tensor<?xi32>, tensor<?xi32>) -> tensor<?x4xf32>
}

// -----

// expected-error @+1 {{a causal LM needs the function @logits(hidden) with one result, tensor<?xNxf32>, in the model file}}
module {
  func.func @hidden(%ids: tensor<?xi32>, %b: tensor<?xi32>, %c: tensor<?xi32>) -> tensor<?x4xf32> {
    %t = llm.weight "embed" : tensor<16x4xf32>
    %x = llm.embedding %ids, %t : (tensor<?xi32>, tensor<16x4xf32>) -> tensor<?x4xf32>
    return %x : tensor<?x4xf32>
  }
}

// -----

// @logits takes other hidden states than @hidden returns.
// expected-error @+1 {{a causal LM needs the function @logits(hidden)}}
module {
  func.func @hidden(%ids: tensor<?xi32>, %b: tensor<?xi32>, %c: tensor<?xi32>) -> tensor<?x4xf32> {
    %t = llm.weight "embed" : tensor<16x4xf32>
    %x = llm.embedding %ids, %t : (tensor<?xi32>, tensor<16x4xf32>) -> tensor<?x4xf32>
    return %x : tensor<?x4xf32>
  }
  func.func @logits(%h: tensor<?x8xf32>) -> tensor<?x8xf32> {
    return %h : tensor<?x8xf32>
  }
}
