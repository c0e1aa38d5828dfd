// Every refusal: nothing to look at, a weight that is applied twice, options that
// are none.
// RUN: llama-opt %s --adapters-insert-probes="modules=.*q_proj" -split-input-file -verify-diagnostics
// RUN: not llama-opt %s --adapters-insert-probes="threshold=-1" 2>&1 | FileCheck %s --check-prefix=THRESHOLD
// RUN: not llama-opt %s --adapters-insert-probes="threshold=nan" 2>&1 | FileCheck %s --check-prefix=THRESHOLD
// RUN: not llama-opt %s -split-input-file --adapters-insert-probes="modules=(" 2>&1 | FileCheck %s --check-prefix=REGEX

// THRESHOLD: error: probe: threshold must not be negative
// REGEX: error: probe: '(' is no regular expression:

// expected-error @+2 {{probe: modules match no linear layer: '.*q_proj'}}
// expected-note @+1 {{the first layer there is: 'up_proj'}}
module {
  func.func @model(%x: tensor<?x4xf32>) -> tensor<?x6xf32> {
    %w = llm.weight "up_proj.weight" : tensor<6x4xf32>
    %y = llm.linear %x, %w : (tensor<?x4xf32>, tensor<6x4xf32>) -> tensor<?x6xf32>
    return %y : tensor<?x6xf32>
  }
}

// -----

// expected-error @+1 {{needs @model: run graph-attach-head first}}
module {
}

// -----

module {
  func.func @model(%x: tensor<?x4xf32>) -> (tensor<?x4xf32> {llm.output = "y"}) {
    %w = llm.weight "q_proj.weight" : tensor<4x4xf32>
    %y = llm.linear %x, %w : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
    // expected-error @+1 {{'llm.linear' op is a second use of 'q_proj': probes are of modules that are used once}}
    %z = llm.linear %y, %w : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
    return %z : tensor<?x4xf32>
  }
}

// -----

module {
  func.func @model(%x: tensor<?x4xf32>) -> (tensor<?x4xf32> {llm.output = "y"}) {
    %w = llm.weight "q_proj.weight" : tensor<4x4xf32>
    // expected-error @+1 {{'llm.linear' op scales its product: no probe tells the gradient of its weight}}
    %y = llm.linear %x, %w alpha 2.0 : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
    return %y : tensor<?x4xf32>
  }
}
