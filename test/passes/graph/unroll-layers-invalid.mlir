// The pass cannot fail; what it could not unroll the op's verifier refuses first.
// RUN: llama-opt %s --graph-unroll-layers -split-input-file -verify-diagnostics

func.func @f(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{'llm.layers' op count is 1000000, must be 1 to 10000}}
  %h = llm.layers count(1000000) carry(%x) : (tensor<?x4xf32>) {
  ^bb0(%a: tensor<?x4xf32>):
    llm.yield %a : tensor<?x4xf32>
  }
  return %h : tensor<?x4xf32>
}

// -----

func.func @f(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %h = llm.layers count(2) carry(%x) : (tensor<?x4xf32>) {
  ^bb0(%a: tensor<?x4xf32>):
    // expected-error @+1 {{'llm.layers' op inside another llm.layers: {layer} would be ambiguous}}
    %i = llm.layers count(2) carry(%a) : (tensor<?x4xf32>) {
    ^bb0(%b: tensor<?x4xf32>):
      llm.yield %b : tensor<?x4xf32>
    }
    llm.yield %i : tensor<?x4xf32>
  }
  return %h : tensor<?x4xf32>
}

// -----

func.func @f(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{'llm.layers' op body yields 0 values, must yield the carried one}}
  %h = llm.layers count(2) carry(%x) : (tensor<?x4xf32>) {
  ^bb0(%a: tensor<?x4xf32>):
    llm.yield
  }
  return %h : tensor<?x4xf32>
}
