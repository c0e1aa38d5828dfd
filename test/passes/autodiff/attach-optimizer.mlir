// One step over all parameters, at the end of train programs alone.
// RUN: llama-opt %s --autodiff-attach-optimizer -split-input-file | FileCheck %s

// CHECK-LABEL: func.func @train_8(
// CHECK-SAME: %[[LOSS:[^:]+]]: tensor<1xf32> {llm.input = "loss_scale"}, %[[ARG:[^:]+]]: tensor<2x4xf32> {llm.input = "da"}, %[[ARG1:[^:]+]]: tensor<4x2xf32> {llm.input = "db"}, %[[ARG2:[^:]+]]: tensor<8xf64> {llm.input = "hyper"}) -> (tensor<1xf32> {llm.output = "loss"}, tensor<1xf32> {llm.output = "grad_norm"}, tensor<1xf32> {llm.output = "learning_rate"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
// CHECK-NEXT: %[[A:.*]] = llm.parameter "a" init <zero, 0.000000e+00 : f64> : tensor<2x4xf32>
// CHECK-NEXT: %[[B:.*]] = llm.parameter "b" init <zero, 0.000000e+00 : f64> : tensor<4x2xf32>
// CHECK-NEXT: llm.gradient "b", %[[ARG1]] : tensor<4x2xf32>
// CHECK-NEXT: llm.gradient "a", %[[ARG]] : tensor<2x4xf32>
// CHECK-NEXT: %[[GRAD_NORM:.*]], %[[LEARNING_RATE:.*]] = llm.optimizer_step ["a", "b"] %[[ARG2]] : tensor<8xf64> -> tensor<1xf32>, tensor<1xf32>
// CHECK-NEXT: return %[[LOSS]], %[[GRAD_NORM]], %[[LEARNING_RATE]] : tensor<1xf32>, tensor<1xf32>, tensor<1xf32>
func.func @train_8(%loss: tensor<1xf32> {llm.input = "loss_scale"}, %da: tensor<2x4xf32> {llm.input = "da"}, %db: tensor<4x2xf32> {llm.input = "db"})
    -> (tensor<1xf32> {llm.output = "loss"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<2x4xf32>
  %b = llm.parameter "b" init <zero, 0.0> : tensor<4x2xf32>
  llm.gradient "b", %db : tensor<4x2xf32>
  llm.gradient "a", %da : tensor<2x4xf32>
  return %loss : tensor<1xf32>
}

// CHECK-LABEL: func.func @accumulate_8(
// CHECK-NOT: llm.optimizer_step
// CHECK-NOT: "hyper"
func.func @accumulate_8(%loss: tensor<1xf32> {llm.input = "loss_scale"}) -> (tensor<1xf32> {llm.output = "loss"})
    attributes {llm.program = #llm.program<accumulate, tokens = 8, sequences = 8>} {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<2x4xf32>
  return %loss : tensor<1xf32>
}

// CHECK-LABEL: func.func @evaluate_8(
// CHECK-NOT: llm.optimizer_step
// CHECK-NOT: "hyper"
func.func @evaluate_8(%loss: tensor<1xf32> {llm.input = "loss_scale"}) -> (tensor<1xf32> {llm.output = "loss"})
    attributes {llm.program = #llm.program<evaluate, tokens = 8, sequences = 8>} {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<2x4xf32>
  return %loss : tensor<1xf32>
}

// -----

// With micro-batches the next step starts from zero.
module attributes {llm.task = #llm.task<name = "t", head = regression, labels = 1, batch = 8, max_length = 8, accumulation = 2>} {
// CHECK-LABEL: func.func @train_8(
// CHECK: llm.optimizer_step ["a"] %{{.*}} clear_gradients :
func.func @train_8(%loss: tensor<1xf32> {llm.input = "loss_scale"}) -> (tensor<1xf32> {llm.output = "loss"})
    attributes {llm.program = #llm.program<train, tokens = 8, sequences = 8>} {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<2x4xf32>
  return %loss : tensor<1xf32>
}
}
