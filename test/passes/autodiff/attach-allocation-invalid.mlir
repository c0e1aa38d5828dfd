// A budget without an optimizer, without a loss, without its numbers.
// RUN: llama-opt %s --autodiff-attach-allocation -split-input-file -verify-diagnostics

module attributes {llm.adapter = #llm.adapter<kind = "adalora", rank = 3, alpha = 6.0 : f64, dropout = 0.0 : f64, use_rslora = false, targets = ["q"], targets_is_regex = false, modules = ["q"], rank_pattern = {}, alpha_pattern = {}, adalora = <target_rank = 2, tinit = 1, tfinal = 2, delta_t = 4, beta1 = 0.5 : f64, beta2 = 0.25 : f64, orth_reg_weight = 0.1 : f64, total_step = 20>>} {
// expected-error @+1 {{has no optimizer step, or several}}
func.func @train_8() attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  return
}
}

// -----

module attributes {llm.adapter = #llm.adapter<kind = "adalora", rank = 3, alpha = 6.0 : f64, dropout = 0.0 : f64, use_rslora = false, targets = ["q"], targets_is_regex = false, modules = ["q"], rank_pattern = {}, alpha_pattern = {}, adalora = <target_rank = 2, tinit = 1, tfinal = 2, delta_t = 4, beta1 = 0.5 : f64, beta2 = 0.25 : f64, orth_reg_weight = 0.1 : f64, total_step = 20>>} {
// expected-error @+1 {{a training program returns "loss"}}
func.func @train_8(%hyper: tensor<8xf64>) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %norm, %lr = llm.optimizer_step ["a"] %hyper : tensor<8xf64> -> tensor<1xf32>, tensor<1xf32>
  return
}
}

// -----

// expected-error @+1 {{adapter of kind adalora has no #llm.adalora}}
module attributes {llm.adapter = #llm.adapter<kind = "adalora", rank = 3, alpha = 6.0 : f64, dropout = 0.0 : f64, use_rslora = false, targets = ["q"], targets_is_regex = false, modules = ["q"], rank_pattern = {}, alpha_pattern = {}>} {
}
