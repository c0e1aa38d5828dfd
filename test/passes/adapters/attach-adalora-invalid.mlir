// What PEFT's config refuses, and what would make ranks rise.
// RUN: llama-opt %s --adapters-attach-adalora="targets=q_prj" -verify-diagnostics
// RUN: not llama-opt %s --adapters-attach-adalora="init-r=0 targets=q_proj" 2>&1 | FileCheck %s --check-prefix=RANK
// RUN: not llama-opt %s --adapters-attach-adalora="init-r=4 target-r=5 targets=q_proj" 2>&1 | FileCheck %s --check-prefix=RISE
// RUN: not llama-opt %s --adapters-attach-adalora="dropout=1 targets=q_proj" 2>&1 | FileCheck %s --check-prefix=DROPOUT
// RUN: not llama-opt %s --adapters-attach-adalora="delta-t=0 targets=q_proj" 2>&1 | FileCheck %s --check-prefix=DELTA
// RUN: not llama-opt %s --adapters-attach-adalora="total-step=10 tinit=4 tfinal=6 targets=q_proj" 2>&1 | FileCheck %s --check-prefix=SCHEDULE
// RUN: not llama-opt %s --adapters-attach-adalora="beta2=1 targets=q_proj" 2>&1 | FileCheck %s --check-prefix=BETA
// RUN: not llama-opt %s --adapters-attach-adalora="orth-reg-weight=-1 targets=q_proj" 2>&1 | FileCheck %s --check-prefix=WEIGHT
// RUN: not llama-opt %s --adapters-attach-adalora 2>&1 | FileCheck %s --check-prefix=NONE

// RANK: error: adapter: init_r and target_r must be positive, not 0 and 8
// RISE: error: adapter: target_r 5 is above init_r 4: ranks only fall
// DROPOUT: error: adapter: dropout must be in [0, 1)
// DELTA: error: adapter: tinit, tfinal and total_step must not be negative, deltaT must be positive
// SCHEDULE: error: adapter: tinit 4 leaves no step between warmup and the final phase: total_step 10 less tfinal 6 must be above it
// BETA: error: adapter: beta1 and beta2 must be in (0, 1)
// WEIGHT: error: adapter: orth_reg_weight must not be negative
// NONE: error: adapter: no adapter targets given

// expected-error @+2 {{adapter: targets match no linear layer: 'q_prj'}}
// expected-note @+1 {{the first layer there is: 'model.layers.0.self_attn.q_proj'}}
module {
  func.func @train_8(%x: tensor<8x4xf32> {llm.input = "x"}) -> (tensor<8x6xf32> {llm.output = "loss"})
      attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
    %w = llm.weight "model.layers.0.self_attn.q_proj.weight" : tensor<6x4xf32>
    %y = llm.linear %x, %w : (tensor<8x4xf32>, tensor<6x4xf32>) -> tensor<8x6xf32>
    return %y : tensor<8x6xf32>
  }
}
