// Launches of attention, of its gradient and of the folding of factors become
// launches of hand-written kernels; so do products with few columns.
// REQUIRES: nvcc
// The code itself is cut short for FileCheck.
// RUN: llama-opt %s --codegen-select-library-kernels | sed -E 's/(data\("[^"]{6})[^"]*"/\1"/' | FileCheck %s --implicit-check-not=llm.attention --implicit-check-not=llm.fold --implicit-check-not=fold_into_0 --implicit-check-not=@attention_1
// RUN: llama-opt %s --codegen-select-library-kernels=ptx=true | sed -E 's/(data\("[^"]{6})[^"]*"/\1"/' | FileCheck %s --check-prefix=PTX --implicit-check-not=cubin --implicit-check-not=programmatic --implicit-check-not=hopper
// RUN: llama-opt %s --codegen-select-library-kernels=arch=sm_80 | sed -E 's/(data\("[^"]{6})[^"]*"/\1"/' | FileCheck %s --check-prefix=PTX --implicit-check-not=cubin --implicit-check-not=programmatic --implicit-check-not=hopper
// RUN: sed 's/bf16/f32/g' %s | llama-opt --codegen-select-library-kernels | sed -E 's/(data\("[^"]{6})[^"]*"/\1"/' | FileCheck %s --check-prefix=F32 --implicit-check-not=skinny
// What comes out goes through the rest of the pipeline.
// RUN: llama-opt %s --codegen-select-library-kernels --memory-assign-streams --memory-plan-buffers --memory-verify -o %t.mlir

// Each module's code is carried once, before the kernels that it has.
// CHECK-DAG: plan.code_object @library_fold_factors format(cubin) arch("sm_90") data("\7FELF
// CHECK-DAG: plan.kernel @[[FOLD:fold_factors_bf16]] "fold_into" code_object(@library_fold_factors)
// CHECK-DAG: plan.kernel @[[FORWARD:attention_forward_hopper_bf16_d64]] "attention" code_object(@library_attention_forward_hopper)
// CHECK-DAG: plan.kernel @[[GRADQ:attention_grad_q_hopper_bf16_d64]] "attention_grad" code_object(@library_attention_backward_hopper)
// CHECK-DAG: plan.kernel @[[GRADKV:attention_grad_kv_hopper_bf16_d64]] "attention_grad" code_object(@library_attention_backward_hopper)
// CHECK-DAG: plan.kernel @[[SKINNY:skinny_gemm_nn_.*]] "product with few columns" code_object(@library_skinny_gemm)

// CHECK-LABEL: plan.program @train_512
// The number of segments and of rows of 1024 parameters.
// CHECK: plan.launch @[[FOLD]] reads(%{{.*}}, %{{.*}}) writes(%{{.*}}) scalars [4, 2] block {{.*}} programmatic :
// Tokens, sequences, heads, kv heads; the elements from row to row of q, k, v and the
// output; the scale, 0.125, as bits.
// CHECK: %[[QKV:.*]] = plan.buffer in @activations : tensor<512x512xbf16>
// CHECK: plan.launch @[[FORWARD]] reads({{.*}}) writes(%[[O:.*]], %[[LSE:.*]]) scalars [512, 2, 4, 2, 512, 512, 512, 256, 1040187392] grid [4, {{.*}} programmatic :
// The gradient is two launches, over heads and over kv heads, with scratch between
// them; their results are columns of one matrix.
// CHECK: %[[DY:.*]] = plan.buffer in @activations : tensor<512x520xbf16>
// CHECK: %[[DQ:.*]] = plan.view %[[DY]] at 0 pitch(520)
// CHECK: %[[DK:.*]] = plan.view %[[DY]] at 256 pitch(520)
// CHECK: %[[DV:.*]] = plan.view %[[DY]] at 384 pitch(520)
// CHECK-NEXT: %[[DELTA:.*]] = plan.buffer in @activations : tensor<512x4xf32>
// CHECK-NEXT: plan.launch @[[GRADQ]] reads({{.*}}, %[[O]], %[[LSE]], %[[DO:.*]]) writes(%[[DQ]], %[[DELTA]]) scalars [512, 2, 4, 2, 512, 512, 512, 256, 256, 520, 1040187392] grid [4,
// CHECK-NEXT: plan.launch @[[GRADKV]] reads({{.*}}, %[[LSE]], %[[DO]], %[[DELTA]]) writes(%[[DK]], %[[DV]]) scalars [512, 2, 4, 2, 512, 512, 512, 256, 520, 520, 1040187392] grid [2,
// m, n, k and the leading dimensions. A product of a transposed matrix, one that adds,
// one that is scaled, one of f32, one with many columns and one whose rows begin at odd
// places stay.
// CHECK: plan.launch @[[SKINNY]] reads(%{{.*}}, %{{.*}}) writes(%[[DT:.*]]) scalars [512, 8, 512, 520, 8, 520] grid
// CHECK: plan.gemm %{{.*}} transpose_a,
// CHECK: plan.gemm {{.*}} beta 1.000000e+00
// CHECK: plan.gemm {{.*}} alpha 2.000000e+00
// CHECK: plan.gemm {{.*}} n(512)
// CHECK: plan.gemm {{.*}} lda(520) ldb(8) ldd(8) :
// CHECK: plan.program @evaluate_64
// Sentences are short in this bucket: a sequence a block.
// CHECK: plan.launch @[[FORWARD_64:attention_.*]] reads({{.*}}) writes({{.*}}) scalars [64, 2, 4, 2, 256, 128, 128, 256, 1040187392]

// What drivers compile: no clusters, no warpgroups, and nothing begins early.
// PTX-DAG: plan.code_object @library_fold_factors format(ptx) arch("sm_80")
// PTX-DAG: plan.kernel @attention_forward_bf16_d64 "attention" code_object(@library_attention_forward)
// PTX: plan.launch @fold_factors_bf16
// PTX: plan.launch @attention_forward_bf16_d64 {{.*}} scalars [512, 2, 4, 2, 512, 512, 512, 256, 1040187392] grid
// PTX: plan.launch @attention_grad_q_bf16_d64
// PTX-NEXT: plan.launch @attention_grad_kv_bf16_d64
// PTX-COUNT-6: plan.gemm

// In f32 the plain kernels, which take the size of a head, and no skinny ones.
// F32: plan.launch @fold_factors_f32
// F32: plan.launch @attention_forward_plain_f32 {{.*}} scalars [512, 2, 4, 2, 512, 512, 512, 256, 1040187392, 64]
// F32: plan.launch @attention_grad_q_plain_f32 {{.*}} scalars [512, 2, 4, 2, 512, 512, 512, 256, 256, 520, 1040187392, 64]
// F32: plan.launch @attention_grad_kv_plain_f32
// F32-COUNT-6: plan.gemm

// AdaLoRA's, over 2 modules of rank 4: a cluster of 4 blocks a matrix; the factor
// 0.25 as the bits of a float.
// CHECK-LABEL: plan.program @train_ada
// CHECK: plan.launch @triplet_grams {{.*}} scalars [2, 4] grid [4, 4, 1] block [256, 1, 1]
// CHECK: plan.launch @triplet_finish {{.*}} scalars [2, 4, 1048576000] grid [4, 4, 1] block [256, 1, 1] shared(256)
// CHECK: plan.launch @triplet_scores {{.*}} scalars [2, 4] grid [4, 6, 1] block [512, 1, 1]
// CHECK: plan.launch @triplet_mask {{.*}} scalars [2, 4] block [1024, 1, 1]

#task = #llm.task<name = "sst2", head = classification, labels = 2, batch = 2, max_length = 512, accumulation = 1>
module attributes {llm.task = #task} {
  plan.allocation @parameters category(parameters) bytes(8192)
  plan.allocation @constants category(constants) bytes(256)
  plan.allocation @weights category(weights) bytes(65536)
  plan.allocation @inputs category(inputs) bytes(1024)
  plan.allocation @activations category(activations) bytes(0)
  plan.kernel @fold_into_0 "fold_into" {
  ^bb0(%p: tensor<2x1024xf32>, %t: tensor<4x7xi64>):
    %w = llm.fold_into %p, %t : (tensor<2x1024xf32>, tensor<4x7xi64>) -> tensor<16384xbf16>
  }
  plan.kernel @attention_1 "attention" {
  ^bb0(%q: tensor<512x256xbf16>, %k: tensor<512x128xbf16>, %v: tensor<512x128xbf16>, %cu: tensor<3xi32>):
    %o, %lse = llm.attention %q, %k, %v, %cu heads(4) kv_heads(2) scale 1.25e-01
      : (tensor<512x256xbf16>, tensor<512x128xbf16>, tensor<512x128xbf16>, tensor<3xi32>) -> (tensor<512x256xbf16>, tensor<512x4xf32>)
  }
  plan.kernel @attention_grad_2 "attention_grad" {
  ^bb0(%q: tensor<512x256xbf16>, %k: tensor<512x128xbf16>, %v: tensor<512x128xbf16>, %cu: tensor<3xi32>, %o: tensor<512x256xbf16>, %lse: tensor<512x4xf32>, %do: tensor<512x256xbf16>):
    %dq, %dk, %dv = llm.attention_grad %q, %k, %v, %cu, %o, %lse, %do heads(4) kv_heads(2) scale 1.25e-01
      : (tensor<512x256xbf16>, tensor<512x128xbf16>, tensor<512x128xbf16>, tensor<3xi32>, tensor<512x256xbf16>, tensor<512x4xf32>, tensor<512x256xbf16>)
        -> (tensor<512x256xbf16>, tensor<512x128xbf16>, tensor<512x128xbf16>)
  }
  plan.program @train_512 kind(train) tokens(512) sequences(2) {
    %cu = plan.buffer in @inputs at 0 : tensor<3xi32>
    %params = plan.buffer in @parameters at 0 : tensor<2x1024xf32>
    %table = plan.buffer in @constants at 0 : tensor<4x7xi64>
    %w = plan.buffer in @weights at 0 : tensor<16384xbf16>
    plan.launch @fold_into_0 reads(%params, %table) writes(%w) scalars [4] grid [2, 1, 1] grain(16) : (tensor<2x1024xf32>, tensor<4x7xi64>) -> tensor<16384xbf16>
    %qkv = plan.buffer in @activations : tensor<512x512xbf16>
    %q = plan.view %qkv at 0 pitch(512) : tensor<512x512xbf16> -> tensor<512x256xbf16>
    %k = plan.view %qkv at 256 pitch(512) : tensor<512x512xbf16> -> tensor<512x128xbf16>
    %v = plan.view %qkv at 384 pitch(512) : tensor<512x512xbf16> -> tensor<512x128xbf16>
    plan.fill %qkv with 0.0 : tensor<512x512xbf16>
    %o = plan.buffer in @activations : tensor<512x256xbf16>
    %lse = plan.buffer in @activations : tensor<512x4xf32>
    plan.launch @attention_1 reads(%q, %k, %v, %cu) writes(%o, %lse) scalars [512, 2] grid [4, 1, 1]
      : (tensor<512x256xbf16>, tensor<512x128xbf16>, tensor<512x128xbf16>, tensor<3xi32>) -> (tensor<512x256xbf16>, tensor<512x4xf32>)
    %do = plan.buffer in @activations : tensor<512x256xbf16>
    plan.fill %do with 0.0 : tensor<512x256xbf16>
    %dqkv = plan.buffer in @activations : tensor<512x520xbf16>
    %dq = plan.view %dqkv at 0 pitch(520) : tensor<512x520xbf16> -> tensor<512x256xbf16>
    %dk = plan.view %dqkv at 256 pitch(520) : tensor<512x520xbf16> -> tensor<512x128xbf16>
    %dv = plan.view %dqkv at 384 pitch(520) : tensor<512x520xbf16> -> tensor<512x128xbf16>
    plan.launch @attention_grad_2 reads(%q, %k, %v, %cu, %o, %lse, %do) writes(%dq, %dk, %dv) scalars [512, 2] grid [4, 1, 1]
      : (tensor<512x256xbf16>, tensor<512x128xbf16>, tensor<512x128xbf16>, tensor<3xi32>, tensor<512x256xbf16>, tensor<512x4xf32>, tensor<512x256xbf16>)
        -> (tensor<512x256xbf16>, tensor<512x128xbf16>, tensor<512x128xbf16>)
    %dt = plan.view %dqkv at 512 pitch(520) : tensor<512x520xbf16> -> tensor<512x8xbf16>
    %sb = plan.buffer in @weights at 0 : tensor<512x8xbf16>
    %dy = plan.view %dqkv at 0 pitch(520) : tensor<512x520xbf16> -> tensor<512x512xbf16>
    plan.gemm %dy, %sb into %dt m(512) n(8) k(512) lda(520) ldb(8) ldd(520) : tensor<512x512xbf16>, tensor<512x8xbf16>, tensor<512x8xbf16>
    %t = plan.buffer in @activations : tensor<512x8xbf16>
    %wide = plan.buffer in @activations : tensor<512x512xbf16>
    %odd = plan.view %dqkv at 4 pitch(520) : tensor<512x520xbf16> -> tensor<512x512xbf16>
    plan.gemm %dy transpose_a, %sb into %t m(512) n(8) k(512) lda(520) ldb(8) ldd(8) : tensor<512x512xbf16>, tensor<512x8xbf16>, tensor<512x8xbf16>
    plan.gemm %dy, %sb into %t m(512) n(8) k(512) lda(520) ldb(8) ldd(8) beta 1.0 : tensor<512x512xbf16>, tensor<512x8xbf16>, tensor<512x8xbf16>
    plan.gemm %dy, %sb into %t m(512) n(8) k(512) lda(520) ldb(8) ldd(8) alpha 2.0 : tensor<512x512xbf16>, tensor<512x8xbf16>, tensor<512x8xbf16>
    plan.gemm %dy, %qkv into %wide m(512) n(512) k(512) lda(520) ldb(512) ldd(512) : tensor<512x512xbf16>, tensor<512x512xbf16>, tensor<512x512xbf16>
    plan.gemm %odd, %sb into %t m(512) n(8) k(512) lda(520) ldb(8) ldd(8) : tensor<512x512xbf16>, tensor<512x8xbf16>, tensor<512x8xbf16>
  }
  plan.program @evaluate_64 kind(evaluate) tokens(64) sequences(2) {
    %cu = plan.buffer in @inputs at 0 : tensor<3xi32>
    %q = plan.buffer in @activations : tensor<64x256xbf16>
    %k = plan.buffer in @activations : tensor<64x128xbf16>
    %o = plan.buffer in @activations : tensor<64x256xbf16>
    %lse = plan.buffer in @activations : tensor<64x4xf32>
    plan.fill %q with 0.0 : tensor<64x256xbf16>
    plan.fill %k with 0.0 : tensor<64x128xbf16>
    plan.launch @attention_1 reads(%q, %k, %k, %cu) writes(%o, %lse) scalars [64, 2] grid [4, 1, 1]
      : (tensor<64x256xbf16>, tensor<64x128xbf16>, tensor<64x128xbf16>, tensor<3xi32>) -> (tensor<64x256xbf16>, tensor<64x4xf32>)
  }
  plan.allocation @gradients category(gradients) bytes(8192)
  plan.allocation @optimizer category(optimizer_state) bytes(16640)
  plan.kernel @triplet_grams_3 "triplet_grams" {
  ^bb0(%p: tensor<2x1024xf32>, %t: tensor<2x10xi64>, %g: tensor<2x1024xf32>):
    %r = llm.triplet_grams %p, %t gradients(%g) : (tensor<2x1024xf32>, tensor<2x10xi64>, tensor<2x1024xf32>) -> tensor<4x20xf32>
  }
  plan.kernel @triplet_finish_4 "triplet_finish" {
  ^bb0(%g: tensor<2x1024xf32>, %p: tensor<2x1024xf32>, %s: tensor<4x20xf32>, %n: tensor<4xf32>, %t: tensor<2x10xi64>):
    %r = llm.triplet_finish %g, %p, %s, %n, %t factor 0.25 : (tensor<2x1024xf32>, tensor<2x1024xf32>, tensor<4x20xf32>, tensor<4xf32>, tensor<2x10xi64>) -> tensor<2x1024xf32>
  }
  plan.kernel @triplet_scores_5 "triplet_scores" {
  ^bb0(%s: tensor<2x1024xf32>, %u: tensor<2x1024xf32>, %a: tensor<2xi64>, %t: tensor<2x10xi64>):
    %r = llm.triplet_scores %s, %u, %a, %t : (tensor<2x1024xf32>, tensor<2x1024xf32>, tensor<2xi64>, tensor<2x10xi64>) -> tensor<6x4xf32>
  }
  plan.kernel @triplet_mask_6 "triplet_mask" {
  ^bb0(%p: tensor<2x1024xf32>, %k: tensor<2x4xf32>, %s: tensor<2x4xf32>, %a: tensor<2xi64>, %t: tensor<2x10xi64>):
    %q, %l = llm.triplet_mask %p, %k, %s, %a, %t : (tensor<2x1024xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2xi64>, tensor<2x10xi64>) -> (tensor<2x1024xf32>, tensor<2x4xf32>)
  }
  plan.program @train_ada kind(train) tokens(512) sequences(2) {
    %params = plan.buffer in @parameters at 0 : tensor<2x1024xf32>
    %grads = plan.buffer in @gradients at 0 : tensor<2x1024xf32>
    %table = plan.buffer in @constants at 0 : tensor<2x10xi64>
    %allocation = plan.buffer in @inputs at 0 : tensor<2xi64>
    %s = plan.buffer in @optimizer at 0 : tensor<2x1024xf32>
    %u = plan.buffer in @optimizer at 8192 : tensor<2x1024xf32>
    %kept = plan.buffer in @optimizer at 16384 : tensor<2x4xf32>
    %grams = plan.buffer in @activations : tensor<4x20xf32>
    plan.launch @triplet_grams_3 reads(%params, %table, %grads) writes(%grams) scalars [2] grid [4, 1, 1]
      : (tensor<2x1024xf32>, tensor<2x10xi64>, tensor<2x1024xf32>) -> tensor<4x20xf32>
    %norms = plan.buffer in @activations : tensor<4xf32>
    plan.fill %norms with 1.0 : tensor<4xf32>
    plan.launch @triplet_finish_4 reads(%grads, %params, %grams, %norms, %table) writes(%grads) scalars [2] grid [4, 1, 1]
      : (tensor<2x1024xf32>, tensor<2x1024xf32>, tensor<4x20xf32>, tensor<4xf32>, tensor<2x10xi64>) -> tensor<2x1024xf32>
    %scores = plan.buffer in @activations : tensor<6x4xf32>
    plan.launch @triplet_scores_5 reads(%s, %u, %allocation, %table) writes(%scores) scalars [2] grid [6, 1, 1]
      : (tensor<2x1024xf32>, tensor<2x1024xf32>, tensor<2xi64>, tensor<2x10xi64>) -> tensor<6x4xf32>
    %sum = plan.buffer in @activations : tensor<2x4xf32>
    plan.fill %sum with 1.0 : tensor<2x4xf32>
    plan.launch @triplet_mask_6 reads(%params, %kept, %sum, %allocation, %table) writes(%params, %kept) scalars [2] grid [1, 1, 1]
      : (tensor<2x1024xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2xi64>, tensor<2x10xi64>) -> (tensor<2x1024xf32>, tensor<2x4xf32>)
  }
}
