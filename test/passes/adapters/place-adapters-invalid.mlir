// Every refusal: files that say nothing of these layers, and options that are no
// budget.
// RUN: split-file %s %t
// RUN: llama-opt %t/model.mlir --adapters-place="file=%t/other.json targets=all-linear" -verify-diagnostics
// RUN: not llama-opt %t/plain.mlir --adapters-place="file=%t/none.json targets=all-linear" 2>&1 | FileCheck %s --check-prefix=FILE
// RUN: not llama-opt %t/plain.mlir --adapters-place="file=%t/plain.mlir targets=all-linear" 2>&1 | FileCheck %s --check-prefix=JSON
// RUN: not llama-opt %t/plain.mlir --adapters-place="file=%t/empty.json targets=all-linear" 2>&1 | FileCheck %s --check-prefix=FORMAT
// RUN: not llama-opt %t/plain.mlir --adapters-place="file=%t/next.json targets=all-linear" 2>&1 | FileCheck %s --check-prefix=VERSION
// RUN: not llama-opt %t/plain.mlir --adapters-place="file=%t/good.json targets=all-linear statistic=input.median" 2>&1 | FileCheck %s --check-prefix=STATISTIC
// RUN: not llama-opt %t/plain.mlir --adapters-place="file=%t/good.json targets=all-linear statistic=input.mean" 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// RUN: not llama-opt %t/plain.mlir --adapters-place="file=%t/good.json targets=all-linear statistic=norm" 2>&1 | FileCheck %s --check-prefix=PART
// RUN: not llama-opt %t/plain.mlir --adapters-place="file=%t/shape.json targets=all-linear" 2>&1 | FileCheck %s --check-prefix=SHAPE
// RUN: not llama-opt %t/plain.mlir --adapters-place="file=%t/good.json targets=all-linear budget=0" 2>&1 | FileCheck %s --check-prefix=BUDGET
// RUN: not llama-opt %t/plain.mlir --adapters-place="file=%t/good.json targets=all-linear budget=nan" 2>&1 | FileCheck %s --check-prefix=BUDGET
// RUN: not llama-opt %t/plain.mlir --adapters-place="file=%t/good.json targets=all-linear budget=2.5" 2>&1 | FileCheck %s --check-prefix=INTEGER
// RUN: not llama-opt %t/plain.mlir --adapters-place="file=%t/good.json targets=all-linear budget=0.1" 2>&1 | FileCheck %s --check-prefix=SMALL
// RUN: not llama-opt %t/plain.mlir --adapters-place="file=%t/good.json targets=all-linear statistic=input.zero" 2>&1 | FileCheck %s --check-prefix=ZERO
// RUN: not llama-opt %t/plain.mlir --adapters-place="file=%t/good.json targets=all-linear rule=best" 2>&1 | FileCheck %s --check-prefix=RULE
// RUN: not llama-opt %t/plain.mlir --adapters-place="file=%t/good.json targets=all-linear r=0" 2>&1 | FileCheck %s --check-prefix=RANK
// RUN: not llama-opt %t/plain.mlir --adapters-place="file=%t/good.json targets=v_proj" 2>&1 | FileCheck %s --check-prefix=TARGET
// RUN: not llama-opt %t/plain.mlir --pass-pipeline="builtin.module(adapters-place{file=%t/good.json targets=all-linear budget=1},adapters-attach-lora{targets=all-linear rank-pattern=q_proj=2})" 2>&1 | FileCheck %s --check-prefix=PATTERN
// RUN: not llama-opt %t/plain.mlir --pass-pipeline="builtin.module(adapters-place{file=%t/good.json targets=all-linear budget=1},adapters-attach-adalora{targets=all-linear init-r=9})" 2>&1 | FileCheck %s --check-prefix=ADALORA

// FILE: error: placement: {{.*}}none.json: No such file
// JSON: error: placement: {{.*}}plain.mlir: [1:
// FORMAT: error: placement: {{.*}}empty.json: is no file of llamarun probe
// VERSION: error: placement: {{.*}}next.json: has another version than 1
// STATISTIC: error: placement: {{.*}}good.json: module 'q_proj' has no statistic 'input.median'; it has input.mean, input.zero, weight_gradient.norm
// NEGATIVE: error: placement: {{.*}}good.json: module 'q_proj': input.mean is -1
// PART: error: placement: a statistic is part.name, as weight_gradient.norm, not 'norm'
// SHAPE: error: placement: {{.*}}shape.json is of another model: module 'q_proj' is 8 x 4 there and 6 x 4 here
// BUDGET: error: placement: the budget must be positive
// INTEGER: error: placement: a budget above 1 is a sum of ranks, an integer, not 2.5
// SMALL: error: placement: a budget of 8 parameters is too small for a single adapter
// ZERO: error: placement: {{.*}} or input.zero is 0 everywhere
// RULE: error: placement: the rule is top or proportional, not 'best'
// RANK: error: placement: r must be positive, not 0
// TARGET: error: adapter: targets match no linear layer: 'v_proj'
// PATTERN: error: adapter: a placement says the ranks: no rank-pattern or alpha-pattern beside it
// ADALORA: error: adapter: AdaLoRA begins with one rank, init_r 9, a placement gives 'q_proj' 8

//--- model.mlir
// expected-error @+1 {{other.json has no module 'q_proj': it is of another model, or its --probe left it out}}
module {
  func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}) -> (tensor<8x6xf32> {llm.output = "loss"})
      attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
    %w = llm.weight "q_proj.weight" : tensor<6x4xf32>
    %q = llm.linear %x, %w : (tensor<8x4xf32>, tensor<6x4xf32>) -> tensor<8x6xf32>
    return %q : tensor<8x6xf32>
  }
}
//--- plain.mlir
module {
  func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}) -> (tensor<8x6xf32> {llm.output = "loss"})
      attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
    %w = llm.weight "q_proj.weight" : tensor<6x4xf32>
    %q = llm.linear %x, %w : (tensor<8x4xf32>, tensor<6x4xf32>) -> tensor<8x6xf32>
    return %q : tensor<8x6xf32>
  }
}
//--- good.json
{"format": "llamac-probe", "version": 1, "modules": {"q_proj": {"input": {"mean": -1, "zero": 0}, "weight_gradient": {"norm": 1}}}}
//--- other.json
{"format": "llamac-probe", "version": 1, "modules": {"k_proj": {"weight_gradient": {"norm": 1}}}}
//--- shape.json
{"format": "llamac-probe", "version": 1, "modules": {"q_proj": {"weight": {"shape": [8, 4]}, "weight_gradient": {"norm": 1}}}}
//--- next.json
{"format": "llamac-probe", "version": 2, "modules": {}}
//--- empty.json
{}
