// A train and an evaluate program for every bucket, `?` replaced by its tokens;
// with accumulation an accumulate program before each train program. Training
// drops the logits and what only they need. @model is gone.
// RUN: llama-opt %s --graph-instantiate-buckets=buckets=8,16 -split-input-file | FileCheck %s --implicit-check-not=@model --implicit-check-not='?x'

module attributes {llm.task = #llm.task<name = "t", head = classification, labels = 2, batch = 3, max_length = 8, accumulation = 2>} {
// CHECK-LABEL: func.func @accumulate_8(
// CHECK-SAME: %[[ARG:[^:]+]]: tensor<8x4xf32> {llm.input = "x"}, %[[ARG1:[^:]+]]: tensor<8xi32> {llm.input = "labels"}, %[[ARG2:[^:]+]]: tensor<1xf32> {llm.input = "loss_scale"}, %[[ARG3:[^:]+]]: tensor<3xi32> {llm.input = "last_token"}, %[[ARG4:[^:]+]]: tensor<8xi32> {llm.input = "pool_index"}) -> (tensor<1xf32> {llm.output = "loss"}) attributes {llm.program = #llm.program<accumulate, tokens = 8, sequences = 3>} {
// CHECK-NEXT: %[[W:.*]] = llm.parameter "w" init <zero, 0.000000e+00 : f64> : tensor<2x4xf32>
// CHECK-NEXT: %[[LINEAR:.*]] = llm.linear %[[ARG]], %[[W]] : (tensor<8x4xf32>, tensor<2x4xf32>) -> tensor<8x2xf32>
// CHECK-NEXT: %[[CROSS_ENTROPY:.*]] = llm.cross_entropy %[[LINEAR]], %[[ARG1]], %[[ARG2]] : tensor<8x2xf32>, tensor<8xi32>, tensor<1xf32> -> tensor<1xf32>
// CHECK-NEXT: return %[[CROSS_ENTROPY]] : tensor<1xf32>
// CHECK-LABEL: func.func @train_8(
// CHECK-SAME: %[[X:[^:]+]]: tensor<8x4xf32> {llm.input = "x"}, %[[ARG:[^:]+]]: tensor<8xi32> {llm.input = "labels"}, %[[ARG1:[^:]+]]: tensor<1xf32> {llm.input = "loss_scale"}, %[[ARG2:[^:]+]]: tensor<3xi32> {llm.input = "last_token"}, %[[ARG3:[^:]+]]: tensor<8xi32> {llm.input = "pool_index"}) -> (tensor<1xf32> {llm.output = "loss"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 3>} {
// CHECK-NEXT: %[[W:.*]] = llm.parameter "w" init <zero, 0.000000e+00 : f64> : tensor<2x4xf32>
// CHECK-NEXT: %[[LINEAR:.*]] = llm.linear %[[X]], %[[W]] : (tensor<8x4xf32>, tensor<2x4xf32>) -> tensor<8x2xf32>
// CHECK-NEXT: %[[CROSS_ENTROPY:.*]] = llm.cross_entropy %[[LINEAR]], %[[ARG]], %[[ARG1]] : tensor<8x2xf32>, tensor<8xi32>, tensor<1xf32> -> tensor<1xf32>
// CHECK-NEXT: return %[[CROSS_ENTROPY]] : tensor<1xf32>
// CHECK-LABEL: func.func @evaluate_8(
// CHECK-SAME: %[[ARG:[^:]+]]: tensor<8x4xf32> {llm.input = "x"}, %[[ARG1:[^:]+]]: tensor<8xi32> {llm.input = "labels"}, %[[ARG2:[^:]+]]: tensor<1xf32> {llm.input = "loss_scale"}, %[[ARG3:[^:]+]]: tensor<3xi32> {llm.input = "last_token"}, %[[ARG4:[^:]+]]: tensor<8xi32> {llm.input = "pool_index"}) -> (tensor<1xf32> {llm.output = "loss"}, tensor<3x2xf32> {llm.output = "logits"}) attributes {llm.program = #llm.program<evaluate, tokens = 8, sequences = 3>} {
// CHECK-NEXT: %[[W:.*]] = llm.parameter "w" init <zero, 0.000000e+00 : f64> : tensor<2x4xf32>
// CHECK-NEXT: %[[LINEAR:.*]] = llm.linear %[[ARG]], %[[W]] : (tensor<8x4xf32>, tensor<2x4xf32>) -> tensor<8x2xf32>
// CHECK-NEXT: %[[CROSS_ENTROPY:.*]] = llm.cross_entropy %[[LINEAR]], %[[ARG1]], %[[ARG2]] : tensor<8x2xf32>, tensor<8xi32>, tensor<1xf32> -> tensor<1xf32>
// CHECK-NEXT: %[[GATHER_ROWS:.*]] = llm.gather_rows %[[LINEAR]], %[[ARG3]], %[[ARG4]] : (tensor<8x2xf32>, tensor<3xi32>, tensor<8xi32>) -> tensor<3x2xf32>
// CHECK-NEXT: return %[[CROSS_ENTROPY]], %[[GATHER_ROWS]] : tensor<1xf32>, tensor<3x2xf32>
// CHECK-LABEL: func.func @accumulate_16(
// CHECK-SAME: %[[X:.*]]: tensor<16x4xf32> {llm.input = "x"}, {{.*}} attributes {llm.program = #llm.program<accumulate, tokens = 16, sequences = 3>}
// CHECK: llm.linear %[[X]], %{{.*}} : (tensor<16x4xf32>, tensor<2x4xf32>) -> tensor<16x2xf32>
// CHECK-LABEL: func.func @train_16(
// CHECK-SAME: attributes {llm.program = #llm.program<train, tokens = 16, sequences = 3>}
// CHECK-LABEL: func.func @evaluate_16(
// CHECK-SAME: attributes {llm.program = #llm.program<evaluate, tokens = 16, sequences = 3>}
// CHECK: llm.gather_rows %{{.*}} : (tensor<16x2xf32>, tensor<3xi32>, tensor<16xi32>) -> tensor<3x2xf32>
func.func @model(%x: tensor<?x4xf32> {llm.input = "x"}, %labels: tensor<?xi32> {llm.input = "labels"}, %scale: tensor<1xf32> {llm.input = "loss_scale"},
                 %last: tensor<3xi32> {llm.input = "last_token"}, %pool: tensor<?xi32> {llm.input = "pool_index"})
    -> (tensor<1xf32> {llm.output = "loss"}, tensor<3x2xf32> {llm.output = "logits"}) {
  %w = llm.parameter "w" init <zero, 0.0> : tensor<2x4xf32>
  %y = llm.linear %x, %w : (tensor<?x4xf32>, tensor<2x4xf32>) -> tensor<?x2xf32>
  %loss = llm.cross_entropy %y, %labels, %scale : tensor<?x2xf32>, tensor<?xi32>, tensor<1xf32> -> tensor<1xf32>
  %p = llm.gather_rows %y, %last, %pool : (tensor<?x2xf32>, tensor<3xi32>, tensor<?xi32>) -> tensor<3x2xf32>
  return %loss, %p : tensor<1xf32>, tensor<3x2xf32>
}
}

// -----

// Without accumulation there is nothing to accumulate.
// CHECK: module attributes {llm.task = #llm.task<name = "u"
// CHECK-NOT: @accumulate
// CHECK: func.func @train_8(
// CHECK-NOT: @accumulate
// CHECK: func.func @evaluate_8(
// CHECK-NOT: @accumulate
// CHECK: func.func @train_16(
// CHECK-NOT: @accumulate
// CHECK: func.func @evaluate_16(
// CHECK-NOT: @accumulate
module attributes {llm.task = #llm.task<name = "u", head = classification, labels = 2, batch = 3, max_length = 8, accumulation = 1>} {
func.func @model(%x: tensor<?x4xf32> {llm.input = "x"}) -> (tensor<?x4xf32> {llm.output = "loss"}) {
  return %x : tensor<?x4xf32>
}
}

// -----

// With probes there is one program a bucket, which neither trains nor evaluates.
module attributes {llm.task = #llm.task<name = "t", head = classification, labels = 2, batch = 3, max_length = 8, accumulation = 1>} {
// CHECK-LABEL: func.func @probe_8(
// CHECK-SAME: -> (tensor<1xf32> {llm.output = "loss"}, tensor<8x4xf32> {llm.output = "a:input"}) attributes {llm.program = #llm.program<probe, tokens = 8, sequences = 3>}
// CHECK: llm.probe %{{.*}} threshold 1.000000e-02 : tensor<8x6xf32> -> tensor<8x4xf32>
// CHECK-NOT: func.func @{{train|evaluate}}
// CHECK: func.func @probe_16(
  func.func @model(%x: tensor<?x6xf32> {llm.input = "x"}, %scale: tensor<1xf32> {llm.input = "loss_scale"}) -> (tensor<1xf32> {llm.output = "loss"}, tensor<?x4xf32> {llm.output = "a:input"}) attributes {llm.probes} {
    %s = llm.probe %x threshold 0.01 : tensor<?x6xf32> -> tensor<?x4xf32>
    %loss = llm.sum %x, %scale : tensor<?x6xf32>, tensor<1xf32> -> tensor<1xf32>
    return %loss, %s : tensor<1xf32>, tensor<?x4xf32>
  }
}
