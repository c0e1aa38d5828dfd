// Functions become programs of steps over storage.
// RUN: llama-opt %s --lower-to-plan -split-input-file | FileCheck %s --implicit-check-not=func.func --implicit-check-not=shard.grid

// Slots of inputs and outputs hold the largest bucket. A parameter has a gradient
// and two moments at its own offset. Programs that differ in rows alone share
// their kernels. The adapter's product adds to the base product in place; the
// gradient is computed in its slot, the returned value in its own.
// CHECK-DAG: #[[MAP:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK: module attributes {llm.level = "plan"} {
// CHECK-NEXT: plan.allocation @weights category(weights) bytes(512)
// CHECK-NEXT: plan.allocation @parameters category(parameters) bytes(4096)
// CHECK-NEXT: plan.allocation @gradients category(gradients) bytes(4096)
// CHECK-NEXT: plan.allocation @first_moments category(optimizer_state) bytes(4096)
// CHECK-NEXT: plan.allocation @second_moments category(optimizer_state) bytes(4096)
// CHECK-NEXT: plan.allocation @optimizer_state category(optimizer_state) bytes(768)
// CHECK-NEXT: plan.allocation @inputs category(inputs) bytes(768)
// CHECK-NEXT: plan.allocation @outputs category(outputs) bytes(768)
// CHECK-NEXT: plan.allocation @activations category(activations) bytes(0)
// CHECK-NEXT: plan.tensor "w" role(weight) in @weights at 0 : tensor<6x4xf32> init(checkpoint)
// CHECK-NEXT: plan.tensor "b" role(weight) in @weights at 256 : tensor<6x4xf32> init(checkpoint)
// CHECK-NEXT: plan.tensor "a" role(parameter) in @parameters at 0 : tensor<6x4xf32> init(uniform, 5.000000e-01)
// CHECK-NEXT: plan.tensor "a" role(gradient) in @gradients at 0 : tensor<6x4xf32> init(zero)
// CHECK-NEXT: plan.tensor "a" role(first_moment) in @first_moments at 0 : tensor<6x4xf32> init(zero)
// CHECK-NEXT: plan.tensor "a" role(second_moment) in @second_moments at 0 : tensor<6x4xf32> init(zero)
// CHECK-NEXT: plan.tensor "optimizer.step" role(state) in @optimizer_state at 0 : tensor<1xi64> init(zero)
// CHECK-NEXT: plan.tensor "optimizer.beta1_power" role(state) in @optimizer_state at 256 : tensor<1xf64> init(value, 1.000000e+00)
// CHECK-NEXT: plan.tensor "optimizer.beta2_power" role(state) in @optimizer_state at 512 : tensor<1xf64> init(value, 1.000000e+00)
// CHECK-LABEL: plan.kernel @neg_0 "neg, 6 columns" {
// CHECK-NEXT: ^{{.*}}(
// CHECK-SAME: %[[E:.*]]: tensor<32x6xf32>):
// CHECK-NEXT: %[[ROWWISE:.*]] = llm.rowwise rows(32) cols(6) ins(%[[E]] : tensor<32x6xf32>) maps [#[[MAP]]] indexed_by [-1] outs [0] at [#[[MAP]]] -> (tensor<32x6xf32>) {
// CHECK-NEXT: ^{{.*}}(%[[E1:.*]]: f32):
// CHECK-NEXT: %[[NEGF:.*]] = arith.negf %[[E1]] : f32
// CHECK-NEXT: llm.yield %[[NEGF]] : f32
// CHECK-NEXT: } {llm.source = "neg"}
// CHECK-LABEL: plan.program @train_32 kind(train) tokens(32) sequences(2) flops(4608) bytes(5664) {
// CHECK-NEXT: %[[BUFFER:.*]] = plan.buffer in @inputs at 0 : tensor<32x4xf32>
// CHECK-NEXT: plan.input "x" %[[BUFFER]] : tensor<32x4xf32>
// CHECK-NEXT: %[[BUFFER1:.*]] = plan.buffer in @inputs at 512 : tensor<1xf32>
// CHECK-NEXT: plan.input "loss_scale" %[[BUFFER1]] : tensor<1xf32>
// CHECK-NEXT: %[[BUFFER2:.*]] = plan.buffer in @weights at 0 : tensor<6x4xf32>
// CHECK-NEXT: %[[BUFFER3:.*]] = plan.buffer in @parameters at 0 : tensor<6x4xf32>
// CHECK-NEXT: %[[BUFFER4:.*]] = plan.buffer in @activations : tensor<32x6xf32>
// CHECK-NEXT: plan.gemm %[[BUFFER]], %[[BUFFER2]] transpose_b into %[[BUFFER4]] m(32) n(6) k(4) lda(4) ldb(4) ldd(6) : tensor<32x4xf32>, tensor<6x4xf32>, tensor<32x6xf32>
// CHECK-NEXT: plan.gemm %[[BUFFER]], %[[BUFFER3]] transpose_b into %[[BUFFER4]] m(32) n(6) k(4) lda(4) ldb(4) ldd(6) alpha 2.000000e+00 beta 1.000000e+00 : tensor<32x4xf32>, tensor<6x4xf32>, tensor<32x6xf32>
// CHECK-NEXT: %[[BUFFER5:.*]] = plan.buffer in @outputs at 0 : tensor<32x6xf32>
// CHECK-NEXT: plan.launch @neg_0 reads(%[[BUFFER4]]) writes(%[[BUFFER5]]) grid [32, 1, 1] grain(2730) : (tensor<32x6xf32>) -> tensor<32x6xf32>
// CHECK-NEXT: %[[BUFFER6:.*]] = plan.buffer in @gradients at 0 : tensor<6x4xf32>
// CHECK-NEXT: plan.gemm %[[BUFFER5]] transpose_a, %[[BUFFER]] into %[[BUFFER6]] m(6) n(4) k(32) lda(6) ldb(4) ldd(4) : tensor<32x6xf32>, tensor<32x4xf32>, tensor<6x4xf32>
// CHECK-NEXT: plan.output "logits" %[[BUFFER5]] : tensor<32x6xf32>
// CHECK-LABEL: plan.program @evaluate_16 kind(evaluate) tokens(16) sequences(2) flops(768) bytes(1504) {
// CHECK-NEXT: %[[BUFFER:.*]] = plan.buffer in @inputs at 0 : tensor<16x4xf32>
// CHECK-NEXT: plan.input "x" %[[BUFFER]] : tensor<16x4xf32>
// CHECK-NEXT: %[[BUFFER1:.*]] = plan.buffer in @weights at 0 : tensor<6x4xf32>
// CHECK-NEXT: %[[BUFFER2:.*]] = plan.buffer in @weights at 256 : tensor<6x4xf32>
// CHECK-NEXT: %[[BUFFER3:.*]] = plan.buffer in @activations : tensor<16x6xf32>
// CHECK-NEXT: plan.gemm %[[BUFFER]], %[[BUFFER1]] transpose_b into %[[BUFFER3]] m(16) n(6) k(4) lda(4) ldb(4) ldd(6) : tensor<16x4xf32>, tensor<6x4xf32>, tensor<16x6xf32>
// CHECK-NEXT: %[[BUFFER4:.*]] = plan.buffer in @outputs at 0 : tensor<16x6xf32>
// CHECK-NEXT: plan.launch @neg_0 reads(%[[BUFFER3]]) writes(%[[BUFFER4]]) grid [16, 1, 1] grain(2730) : (tensor<16x6xf32>) -> tensor<16x6xf32>
// CHECK-NEXT: plan.output "logits" %[[BUFFER4]] : tensor<16x6xf32>
#rc = affine_map<(r, c) -> (r, c)>
module attributes {llm.level = "fused"} {
shard.grid @grid(shape = 1x1)
func.func @train_32(%x: tensor<32x4xf32> {llm.input = "x"}, %scale: tensor<1xf32> {llm.input = "loss_scale"}) -> (tensor<32x6xf32> {llm.output = "logits"})
    attributes {llm.program = #llm.program<train, tokens = 32, sequences = 2>} {
  %w = llm.weight "w" : tensor<6x4xf32>
  %a = llm.parameter "a" init <uniform, 0.5> : tensor<6x4xf32>
  %y = llm.matmul %x, %w transpose_b : (tensor<32x4xf32>, tensor<6x4xf32>) -> tensor<32x6xf32>
  %z = llm.matmul %x, %a accumulate(%y) transpose_b alpha 2.0 : (tensor<32x4xf32>, tensor<6x4xf32>, tensor<32x6xf32>) -> tensor<32x6xf32>
  %n = llm.rowwise rows(32) cols(6) ins(%z : tensor<32x6xf32>) maps [#rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<32x6xf32>) {
  ^bb0(%e: f32):
    %s = arith.negf %e : f32
    llm.yield %s : f32
  } {llm.source = "neg"}
  %g = llm.matmul %n, %x transpose_a : (tensor<32x6xf32>, tensor<32x4xf32>) -> tensor<6x4xf32>
  llm.gradient "a", %g : tensor<6x4xf32>
  return %n : tensor<32x6xf32>
}
func.func @evaluate_16(%x: tensor<16x4xf32> {llm.input = "x"}) -> (tensor<16x6xf32> {llm.output = "logits"})
    attributes {llm.program = #llm.program<evaluate, tokens = 16, sequences = 2>} {
  %w = llm.weight "w" : tensor<6x4xf32>
  %b = llm.weight "b" : tensor<6x4xf32>
  %y = llm.matmul %x, %w transpose_b : (tensor<16x4xf32>, tensor<6x4xf32>) -> tensor<16x6xf32>
  %n = llm.rowwise rows(16) cols(6) ins(%y : tensor<16x6xf32>) maps [#rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<16x6xf32>) {
  ^bb0(%e: f32):
    %s = arith.negf %e : f32
    llm.yield %s : f32
  } {llm.source = "neg"}
  return %n : tensor<16x6xf32>
}
}

// -----

// Evaluation alone has no gradients, no moments and no optimizer state.
// CHECK: plan.allocation @parameters
// CHECK-NOT: gradients
// CHECK-NOT: moments
// CHECK-NOT: optimizer
// CHECK: plan.program @evaluate_8
module {
func.func @evaluate_8(%x: tensor<8x4xf32> {llm.input = "x"}) -> (tensor<8x6xf32> {llm.output = "logits"})
    attributes {llm.program = #llm.program<evaluate, tokens = 8, sequences = 2>} {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<6x4xf32>
  %y = llm.matmul %x, %a transpose_b : (tensor<8x4xf32>, tensor<6x4xf32>) -> tensor<8x6xf32>
  return %y : tensor<8x6xf32>
}
}

// -----

// When a copy is needed: the accumulated value is read later (%y into %s); what is
// added to is a weight or an input, which no program may change (%w into %t, %z into
// %v); a value is wanted in two places (%g); an argument is returned (%x). Not where
// a sum is wanted: what is added to (%e0) is computed there, too.
// CHECK-LABEL: plan.program @train_4 kind(train) tokens(4) sequences(2) flops(1152) bytes(1728) {
// CHECK-NEXT: %[[BUFFER:.*]] = plan.buffer in @inputs at 0 : tensor<4x4xf32>
// CHECK-NEXT: plan.input "x" %[[BUFFER]] : tensor<4x4xf32>
// CHECK-NEXT: %[[BUFFER1:.*]] = plan.buffer in @inputs at 256 : tensor<4x4xf32>
// CHECK-NEXT: plan.input "z" %[[BUFFER1]] : tensor<4x4xf32>
// CHECK-NEXT: %[[BUFFER2:.*]] = plan.buffer in @weights at 0 : tensor<4x4xf32>
// CHECK-NEXT: %[[BUFFER3:.*]] = plan.buffer in @parameters at 0 : tensor<4x4xf32>
// CHECK-NEXT: %[[BUFFER4:.*]] = plan.buffer in @activations : tensor<4x4xf32>
// CHECK-NEXT: plan.gemm %[[BUFFER]], %[[BUFFER]] into %[[BUFFER4]] m(4) n(4) k(4) lda(4) ldb(4) ldd(4) : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
// CHECK-NEXT: %[[BUFFER5:.*]] = plan.buffer in @activations : tensor<4x4xf32>
// CHECK-NEXT: plan.copy %[[BUFFER4]] to %[[BUFFER5]] : tensor<4x4xf32>, tensor<4x4xf32>
// CHECK-NEXT: plan.gemm %[[BUFFER]], %[[BUFFER]] into %[[BUFFER5]] m(4) n(4) k(4) lda(4) ldb(4) ldd(4) beta 1.000000e+00 : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
// CHECK-NEXT: %[[BUFFER6:.*]] = plan.buffer in @outputs at 0 : tensor<4x4xf32>
// CHECK-NEXT: plan.gemm %[[BUFFER5]], %[[BUFFER4]] into %[[BUFFER6]] m(4) n(4) k(4) lda(4) ldb(4) ldd(4) : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
// CHECK-NEXT: %[[BUFFER8:.*]] = plan.buffer in @outputs at 256 : tensor<4x4xf32>
// CHECK-NEXT: plan.gemm %[[BUFFER]], %[[BUFFER]] into %[[BUFFER8]] m(4) n(4) k(4) lda(4) ldb(4) ldd(4) : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
// CHECK-NEXT: plan.gemm %[[BUFFER]], %[[BUFFER]] into %[[BUFFER8]] m(4) n(4) k(4) lda(4) ldb(4) ldd(4) beta 1.000000e+00 : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
// CHECK-NEXT: %[[BUFFER9:.*]] = plan.buffer in @outputs at 512 : tensor<4x4xf32>
// CHECK-NEXT: plan.copy %[[BUFFER2]] to %[[BUFFER9]] : tensor<4x4xf32>, tensor<4x4xf32>
// CHECK-NEXT: plan.gemm %[[BUFFER]], %[[BUFFER]] into %[[BUFFER9]] m(4) n(4) k(4) lda(4) ldb(4) ldd(4) beta 1.000000e+00 : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
// CHECK-NEXT: %[[BUFFER10:.*]] = plan.buffer in @activations : tensor<4x4xf32>
// CHECK-NEXT: plan.copy %[[BUFFER1]] to %[[BUFFER10]] : tensor<4x4xf32>, tensor<4x4xf32>
// CHECK-NEXT: plan.gemm %[[BUFFER]], %[[BUFFER]] into %[[BUFFER10]] m(4) n(4) k(4) lda(4) ldb(4) ldd(4) beta 1.000000e+00 : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
// CHECK-NEXT: %[[BUFFER11:.*]] = plan.buffer in @outputs at 768 : tensor<4x4xf32>
// CHECK-NEXT: plan.gemm %[[BUFFER]], %[[BUFFER10]] into %[[BUFFER11]] m(4) n(4) k(4) lda(4) ldb(4) ldd(4) : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
// CHECK-NEXT: %[[BUFFER12:.*]] = plan.buffer in @outputs at 1024 : tensor<4x4xf32>
// CHECK-NEXT: plan.gemm %[[BUFFER]], %[[BUFFER]] into %[[BUFFER12]] m(4) n(4) k(4) lda(4) ldb(4) ldd(4) : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
// CHECK-NEXT: %[[BUFFER13:.*]] = plan.buffer in @gradients at 0 : tensor<4x4xf32>
// CHECK-NEXT: plan.copy %[[BUFFER12]] to %[[BUFFER13]] : tensor<4x4xf32>, tensor<4x4xf32>
// CHECK-NEXT: plan.output "r" %[[BUFFER6]] : tensor<4x4xf32>
// CHECK-NEXT: plan.output "e" %[[BUFFER8]] : tensor<4x4xf32>
// CHECK-NEXT: plan.output "t" %[[BUFFER9]] : tensor<4x4xf32>
// CHECK-NEXT: plan.output "u" %[[BUFFER11]] : tensor<4x4xf32>
// CHECK-NEXT: plan.output "g" %[[BUFFER12]] : tensor<4x4xf32>
// CHECK-NEXT: %[[BUFFER14:.*]] = plan.buffer in @outputs at 1280 : tensor<4x4xf32>
// CHECK-NEXT: plan.copy %[[BUFFER]] to %[[BUFFER14]] : tensor<4x4xf32>, tensor<4x4xf32>
// CHECK-NEXT: plan.output "x" %[[BUFFER14]] : tensor<4x4xf32>
module {
func.func @train_4(%x: tensor<4x4xf32> {llm.input = "x"}, %z: tensor<4x4xf32> {llm.input = "z"})
    -> (tensor<4x4xf32> {llm.output = "r"}, tensor<4x4xf32> {llm.output = "e"}, tensor<4x4xf32> {llm.output = "t"},
        tensor<4x4xf32> {llm.output = "u"}, tensor<4x4xf32> {llm.output = "g"}, tensor<4x4xf32> {llm.output = "x"})
    attributes {llm.program = #llm.program<train, tokens = 4, sequences = 2>} {
  %w = llm.weight "w" : tensor<4x4xf32>
  %a = llm.parameter "a" init <zero, 0.0> : tensor<4x4xf32>
  %y = llm.matmul %x, %x : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %s = llm.matmul %x, %x accumulate(%y) : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %r = llm.matmul %s, %y : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %e0 = llm.matmul %x, %x : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %e = llm.matmul %x, %x accumulate(%e0) : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %t = llm.matmul %x, %x accumulate(%w) : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %v = llm.matmul %x, %x accumulate(%z) : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %u = llm.matmul %x, %v : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %g = llm.matmul %x, %x : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  llm.gradient "a", %g : tensor<4x4xf32>
  return %r, %e, %t, %u, %g, %x : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
}
}

// -----

// Micro-batches accumulate in the gradient's slot, without a copy. The second
// parameter lies at the next multiple of 64 bytes. Flat buffers are read, updated
// and cleared where they are.
// CHECK-LABEL: plan.program @train_5 kind(train) tokens(8) sequences(2) flops(256) bytes(12608) {
// CHECK-NEXT: %[[BUFFER:.*]] = plan.buffer in @inputs at 0 : tensor<8x4xf32>
// CHECK-NEXT: plan.input "dy" %[[BUFFER]] : tensor<8x4xf32>
// CHECK-NEXT: %[[BUFFER1:.*]] = plan.buffer in @parameters at 0 : tensor<3x3xf32>
// CHECK-NEXT: %[[BUFFER2:.*]] = plan.buffer in @parameters at 64 : tensor<4x4xf32>
// CHECK-NEXT: %[[BUFFER3:.*]] = plan.buffer in @gradients at 64 : tensor<4x4xf32>
// CHECK-NEXT: plan.gemm %[[BUFFER]] transpose_a, %[[BUFFER]] into %[[BUFFER3]] m(4) n(4) k(8) lda(4) ldb(4) ldd(4) beta 1.000000e+00 : tensor<8x4xf32>, tensor<8x4xf32>, tensor<4x4xf32>
// CHECK-NEXT: %[[BUFFER4:.*]] = plan.buffer in @gradients at 0 : tensor<1x1024xf32>
// CHECK-NEXT: %[[BUFFER5:.*]] = plan.buffer in @parameters at 0 : tensor<1x1024xf32>
// CHECK-NEXT: %[[BUFFER6:.*]] = plan.buffer in @parameters at 0 : tensor<1x1024xf32>
// CHECK-NEXT: plan.launch @sgd_0 reads(%[[BUFFER5]], %[[BUFFER4]]) writes(%[[BUFFER6]]) grain(16) : (tensor<1x1024xf32>, tensor<1x1024xf32>) -> tensor<1x1024xf32>
// CHECK-NEXT: %[[BUFFER7:.*]] = plan.buffer in @gradients at 0 : tensor<1x1024xf32>
// CHECK-NEXT: plan.fill %[[BUFFER7]] with 0.000000e+00 : tensor<1x1024xf32>
#rc = affine_map<(r, c) -> (r, c)>
module {
func.func @train_5(%dy: tensor<8x4xf32> {llm.input = "dy"}) attributes {llm.program = #llm.program<train, tokens = 8, sequences = 2>} {
  %a = llm.parameter "a" init <zero, 0.0> : tensor<3x3xf32>
  %b = llm.parameter "b" init <zero, 0.0> : tensor<4x4xf32>
  %old = llm.pending_gradient "b" : tensor<4x4xf32>
  %g = llm.matmul %dy, %dy accumulate(%old) transpose_a : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  llm.gradient "b", %g : tensor<4x4xf32>
  %grads = llm.flat_load gradients : tensor<1x1024xf32>
  %params = llm.flat_load parameters : tensor<1x1024xf32>
  %new = llm.rowwise rows(1) cols(1024) ins(%params, %grads : tensor<1x1024xf32>, tensor<1x1024xf32>)
           maps [#rc, #rc] indexed_by [-1, -1] outs [0] at [#rc] -> (tensor<1x1024xf32>) {
  ^bb0(%p: f32, %d: f32):
    %n = arith.subf %p, %d : f32
    llm.yield %n : f32
  } {llm.source = "sgd"}
  llm.flat_store parameters, %new : tensor<1x1024xf32>
  llm.flat_clear gradients : tensor<1x1024xf32>
  return
}
}

// -----

// Attention: an item a sequence and kv head, and the sizes as arguments. Columns,
// bodies and attributes make kernels differ; equal constants are one.
// CHECK: plan.allocation @constants category(constants) bytes(256)
// CHECK: plan.constant @constant_0 dense<2.000000e+00> : tensor<1xf32>
// CHECK-NOT: plan.constant
// CHECK: plan.tensor "constant_0" role(constant) in @constants at 0 : tensor<1xf32> init(data from @constant_0)
// CHECK: plan.kernel @attention_0 "attention" {
// CHECK: plan.kernel @attention_1 "attention" {
// CHECK: scale 2.500000e-01
// CHECK: plan.kernel @attention_grad_2 "attention_grad" {
// CHECK: plan.kernel @neg_3 "neg, 4 columns" {
// CHECK: arith.negf
// CHECK: plan.kernel @neg_4 "neg, 2 columns" {
// CHECK: plan.kernel @exp_5 "exp, 4 columns" {
// CHECK: math.exp
// CHECK-NOT: plan.kernel
// CHECK: plan.program @evaluate_6
// CHECK: plan.launch @attention_0 reads({{.*}}) writes({{.*}}) scalars [6, 2] grid [4, 1, 1] :
// CHECK: plan.launch @attention_1
// CHECK: plan.launch @attention_0
// CHECK: plan.launch @attention_grad_2 {{.*}} scalars [6, 2] grid [4, 1, 1] :
// CHECK: plan.launch @neg_3 {{.*}} grid [6, 1, 1] grain(4096) :
// CHECK: plan.launch @neg_4 {{.*}} grid [6, 1, 1] grain(8192) :
// CHECK: plan.launch @exp_5
#rc = affine_map<(r, c) -> (r, c)>
module {
func.func @evaluate_6(%q: tensor<6x4xf32> {llm.input = "q"}, %cu: tensor<3xi32> {llm.input = "cu_seqlens"})
    -> (tensor<6x4xf32> {llm.output = "o"}, tensor<6x2xf32> {llm.output = "l"}, tensor<6x4xf32> {llm.output = "e"})
    attributes {llm.program = #llm.program<evaluate, tokens = 6, sequences = 2>} {
  %c = llm.constant dense<2.0> : tensor<1xf32> : tensor<1xf32>
  %d = llm.constant dense<2.0> : tensor<1xf32> : tensor<1xf32>
  %o, %lse = llm.attention %q, %q, %q, %cu heads(2) kv_heads(2) scale 0.5
    : (tensor<6x4xf32>, tensor<6x4xf32>, tensor<6x4xf32>, tensor<3xi32>) -> (tensor<6x4xf32>, tensor<6x2xf32>)
  %o2, %lse2 = llm.attention %o, %o, %o, %cu heads(2) kv_heads(2) scale 0.25
    : (tensor<6x4xf32>, tensor<6x4xf32>, tensor<6x4xf32>, tensor<3xi32>) -> (tensor<6x4xf32>, tensor<6x2xf32>)
  %o3, %lse3 = llm.attention %o2, %o2, %o2, %cu heads(2) kv_heads(2) scale 0.5
    : (tensor<6x4xf32>, tensor<6x4xf32>, tensor<6x4xf32>, tensor<3xi32>) -> (tensor<6x4xf32>, tensor<6x2xf32>)
  %dq, %dk, %dv = llm.attention_grad %q, %q, %q, %cu, %o, %lse, %o3 heads(2) kv_heads(2) scale 0.5
    : (tensor<6x4xf32>, tensor<6x4xf32>, tensor<6x4xf32>, tensor<3xi32>, tensor<6x4xf32>, tensor<6x2xf32>, tensor<6x4xf32>)
      -> (tensor<6x4xf32>, tensor<6x4xf32>, tensor<6x4xf32>)
  %n = llm.rowwise rows(6) cols(4) ins(%dq : tensor<6x4xf32>) maps [#rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<6x4xf32>) {
  ^bb0(%e: f32):
    %s = arith.negf %e : f32
    llm.yield %s : f32
  } {llm.source = "neg"}
  %l = llm.rowwise rows(6) cols(2) ins(%lse : tensor<6x2xf32>) maps [#rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<6x2xf32>) {
  ^bb0(%e: f32):
    %s = arith.negf %e : f32
    llm.yield %s : f32
  } {llm.source = "neg"}
  %x = llm.rowwise rows(6) cols(4) ins(%dk : tensor<6x4xf32>) maps [#rc] indexed_by [-1] outs [0] at [#rc] -> (tensor<6x4xf32>) {
  ^bb0(%e: f32):
    %s = math.exp %e : f32
    llm.yield %s : f32
  } {llm.source = "exp"}
  return %n, %l, %x : tensor<6x4xf32>, tensor<6x2xf32>, tensor<6x4xf32>
}
}
