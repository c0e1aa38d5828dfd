// What the verifiers of llm.layers refuse, and how they say it.
// RUN: llama-opt %s -split-input-file -verify-diagnostics

func.func @f() {
  // expected-error @+1 {{'llm.weight' op "layers.{layer}.w": {layer} stands for nothing outside llm.layers}}
  %w = llm.weight "layers.{layer}.w" : tensor<4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x64xf32>) {
  // expected-error @+1 {{'llm.layers' op count is 0, must be 1 to 10000}}
  %h = llm.layers count(0) carry(%x) : (tensor<?x64xf32>) {
  ^bb0(%a: tensor<?x64xf32>):
    llm.yield %a : tensor<?x64xf32>
  }
  return
}

// -----

func.func @f(%x: tensor<?x64xf32>) {
  // expected-error @+1 {{'llm.layers' op count is 1000000000, must be 1 to 10000}}
  %h = llm.layers count(1000000000) carry(%x) : (tensor<?x64xf32>) {
  ^bb0(%a: tensor<?x64xf32>):
    llm.yield %a : tensor<?x64xf32>
  }
  return
}

// -----

func.func @f(%x: tensor<?x64xf32>) {
  // expected-error @+1 {{'llm.layers' op has 1 operands but its body takes 2 arguments}}
  %h = llm.layers count(2) carry(%x) : (tensor<?x64xf32>) {
  ^bb0(%a: tensor<?x64xf32>, %b: tensor<8xf32>):
    llm.yield %a : tensor<?x64xf32>
  }
  return
}

// -----

func.func @f(%x: tensor<?x64xf32>, %s: tensor<8xf32>) {
  // expected-error @+1 {{'llm.layers' op operand 1 is 'tensor<8xf32>' but body argument 1 is 'tensor<4xf32>'}}
  %h = llm.layers count(2) carry(%x) shared(%s) : (tensor<?x64xf32>, tensor<8xf32>) {
  ^bb0(%a: tensor<?x64xf32>, %b: tensor<4xf32>):
    llm.yield %a : tensor<?x64xf32>
  }
  return
}

// -----

func.func @f(%x: tensor<?x64xf32>) {
  // expected-error @+1 {{'llm.layers' op body yields 0 values, must yield the carried one}}
  %h = llm.layers count(2) carry(%x) : (tensor<?x64xf32>) {
  ^bb0(%a: tensor<?x64xf32>):
    llm.yield
  }
  return
}

// -----

func.func @f(%x: tensor<?x64xf32>, %s: tensor<8xf32>) {
  // expected-error @+1 {{'llm.layers' op carries 'tensor<?x64xf32>' but its body yields 'tensor<8xf32>'}}
  %h = llm.layers count(2) carry(%x) shared(%s) : (tensor<?x64xf32>, tensor<8xf32>) {
  ^bb0(%a: tensor<?x64xf32>, %b: tensor<8xf32>):
    llm.yield %b : tensor<8xf32>
  }
  return
}

// -----

func.func @f(%x: tensor<8x64xf32>) -> tensor<8x32xf32> {
  // expected-error @+1 {{'llm.layers' op carries 'tensor<8x64xf32>' but its result is 'tensor<8x32xf32>'}}
  %h = "llm.layers"(%x) <{count = 2 : i64}> ({
  ^bb0(%a: tensor<8x64xf32>):
    llm.yield %a : tensor<8x64xf32>
  }) : (tensor<8x64xf32>) -> tensor<8x32xf32>
  return %h : tensor<8x32xf32>
}

// -----

func.func @f(%x: tensor<8x64xf32>) {
  %h = llm.layers count(2) carry(%x) : (tensor<8x64xf32>) {
  ^bb0(%a: tensor<8x64xf32>):
    // expected-error @+1 {{'llm.layers' op inside another llm.layers: {layer} would be ambiguous}}
    %b = llm.layers count(2) carry(%a) : (tensor<8x64xf32>) {
    ^bb0(%c: tensor<8x64xf32>):
      llm.yield %c : tensor<8x64xf32>
    }
    llm.yield %b : tensor<8x64xf32>
  }
  return
}

// -----

// The body sees nothing of the function: what it needs is shared.
func.func @f(%x: tensor<8x64xf32>) {
  %h = llm.layers count(2) carry(%x) : (tensor<8x64xf32>) {
  ^bb0(%a: tensor<8x64xf32>):
    // expected-error @+1 {{use of undeclared SSA value name}}
    %b = llm.add %a, %x : tensor<8x64xf32>
    llm.yield %b : tensor<8x64xf32>
  }
  return
}

// -----

func.func @f(%x: tensor<8x64xf32>) {
  // expected-error @+1 {{expected 'carry'}}
  %h = llm.layers count(2) %x : (tensor<8x64xf32>) {
  }
  return
}

// -----

func.func @f(%x: tensor<8x64xf32>) {
  // expected-error @+1 {{number of operands and types do not match}}
  %h = llm.layers count(2) carry(%x) : () {
  ^bb0(%a: tensor<8x64xf32>):
    llm.yield %a : tensor<8x64xf32>
  }
  return
}

// -----

func.func @f(%x: tensor<8x64xf32>) {
  // expected-error @+1 {{has 1 operands but its body takes 0 arguments}}
  %h = llm.layers count(2) carry(%x) : (tensor<8x64xf32>) {
  }
  return
}
