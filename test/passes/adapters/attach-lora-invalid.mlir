// Every refusal: no layer selected, and options that are no adapter.
// RUN: llama-opt %s --adapters-attach-lora="targets=q_prj,roj" -split-input-file -verify-diagnostics
// RUN: not llama-opt %s --adapters-attach-lora="r=0 targets=q_proj" 2>&1 | FileCheck %s --check-prefix=RANK
// RUN: not llama-opt %s --adapters-attach-lora="dropout=1 targets=q_proj" 2>&1 | FileCheck %s --check-prefix=DROPOUT
// RUN: not llama-opt %s --adapters-attach-lora="dropout=nan targets=q_proj" 2>&1 | FileCheck %s --check-prefix=DROPOUT
// RUN: not llama-opt %s --adapters-attach-lora 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not llama-opt %s --adapters-attach-lora="targets=regex:(" 2>&1 | FileCheck %s --check-prefix=REGEX
// RUN: not llama-opt %s --adapters-attach-lora="targets=regex:a,q_proj" 2>&1 | FileCheck %s --check-prefix=ALONE
// RUN: not llama-opt %s --adapters-attach-lora="targets=q_proj rank-pattern=q_proj=0.5" 2>&1 | FileCheck %s --check-prefix=FRACTION
// RUN: not llama-opt %s --adapters-attach-lora="targets=q_proj rank-pattern=q_proj=1e300" 2>&1 | FileCheck %s --check-prefix=FRACTION
// RUN: not llama-opt %s --adapters-attach-lora="targets=q_proj rank-pattern=q_proj" 2>&1 | FileCheck %s --check-prefix=NOVALUE
// RUN: not llama-opt %s --adapters-attach-lora="targets=q_proj alpha-pattern=q_proj=-1" 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// RUN: not llama-opt %s --adapters-attach-lora="targets=q_proj alpha-pattern=[=1" 2>&1 | FileCheck %s --check-prefix=KEY

// RANK: error: adapter: r must be positive, not 0
// DROPOUT: error: adapter: dropout must be in [0, 1)
// NONE: error: adapter: no adapter targets given
// REGEX: error: adapter: '(' is no regular expression:
// ALONE: error: adapter: a regex is the only target
// FRACTION: error: adapter: rank of 'q_proj' must be an integer
// NOVALUE: error: adapter: 'q_proj' is not key=number
// NEGATIVE: error: adapter: 'q_proj=-1' is not key=number
// KEY: error: adapter: '(.*\.)?[' is no regular expression:

// Not even "roj" is q_proj: an entry matches whole parts of the path.
// expected-error @+2 {{adapter: targets match no linear layer: 'q_prj', 'roj'}}
// expected-note @+1 {{the first layer there is: 'model.layers.0.self_attn.q_proj'}}
module {
  func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}) -> (tensor<8x6xf32> {llm.output = "loss"})
      attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
    %w = llm.weight "model.layers.0.self_attn.q_proj.weight" : tensor<6x4xf32>
    %y = llm.linear %x, %w : (tensor<8x4xf32>, tensor<6x4xf32>) -> tensor<8x6xf32>
    return %y : tensor<8x6xf32>
  }
}

// -----

// No layer at all: no note.
// expected-error @+1 {{adapter: targets match no linear layer: 'q_prj', 'roj'}}
module {
}
