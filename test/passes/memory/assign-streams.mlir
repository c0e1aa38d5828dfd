// Products that are written to the gradients run beside the main stream: each waits
// for the main step before it, unless its stream has waited for that one; whoever
// reads the gradients waits for the last of them.
// RUN: llama-opt %s --memory-assign-streams -split-input-file | FileCheck %s
// RUN: llama-opt %s --memory-assign-streams --memory-plan-buffers --memory-verify -split-input-file

// Step 0 makes %x, step 1 %dy. Step 2 waits for 1; step 3 comes after the same. Step 4 goes on without waiting for either and overwrites
// neither. Step 5 needs step 4 through a view; 6 accumulates. Step 7, the norm,
// waits for 6, the last; step 8 need not again.
// CHECK-LABEL: plan.program @train_8 kind(train) tokens(8) sequences(2) streams(2) {
// CHECK: plan.fill %[[X:.*]] with 1.000000e+00 : tensor<8x4xf32>
// CHECK-NEXT: plan.fill %[[DY:.*]] with 1.000000e+00 : tensor<8x4xf32>
// CHECK-NEXT: plan.gemm %[[DY]] transpose_a, %[[X]] into %{{.*}} ldd(4) stream(1) waits [1] :
// CHECK-NEXT: plan.gemm %[[X]] transpose_a, %[[X]] into %{{.*}} ldd(4) stream(1) :
// CHECK-NEXT: plan.gemm %[[DY]], %{{.*}} into %{{.*}} ldd(4) :
// CHECK-NEXT: plan.gemm %{{.*}} transpose_a, %[[X]] into %{{.*}} ldd(4) stream(1) waits [4] :
// CHECK-NEXT: plan.gemm %{{.*}} transpose_a, %[[X]] into %{{.*}} ldd(4) beta 1.000000e+00 stream(1) :
// CHECK-NEXT: plan.launch @norm reads(%{{.*}}) writes(%{{.*}}) waits [6] :
// CHECK-NEXT: plan.launch @norm reads(%{{.*}}) writes(%{{.*}}) programmatic :
module {
  plan.allocation @weights category(weights) bytes(1024)
  plan.allocation @gradients category(gradients) bytes(1024)
  plan.allocation @activations category(activations) bytes(0)
  plan.code_object @code format(cubin) arch("sm_90") data("x")
  plan.kernel @norm "norm" code_object(@code)
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    %x = plan.buffer in @activations : tensor<8x4xf32>
    %dy = plan.buffer in @activations : tensor<8x4xf32>
    %w = plan.buffer in @weights at 0 : tensor<4x4xf32>
    %dx = plan.buffer in @activations : tensor<8x4xf32>
    %panel = plan.view %dx at 0 pitch(4) : tensor<8x4xf32> -> tensor<8x2xf32>
    %g0 = plan.buffer in @gradients at 0 : tensor<4x4xf32>
    %g1 = plan.buffer in @gradients at 64 : tensor<4x4xf32>
    %g2 = plan.buffer in @gradients at 128 : tensor<2x4xf32>
    %all = plan.buffer in @gradients at 0 : tensor<256xf32>
    %norm = plan.buffer in @activations : tensor<1xf32>
    plan.fill %x with 1.0 : tensor<8x4xf32>
    plan.fill %dy with 1.0 : tensor<8x4xf32>
    plan.gemm %dy transpose_a, %x into %g0 m(4) n(4) k(8) lda(4) ldb(4) ldd(4) : tensor<8x4xf32>, tensor<8x4xf32>, tensor<4x4xf32>
    plan.gemm %x transpose_a, %x into %g1 m(4) n(4) k(8) lda(4) ldb(4) ldd(4) : tensor<8x4xf32>, tensor<8x4xf32>, tensor<4x4xf32>
    plan.gemm %dy, %w into %dx m(8) n(4) k(4) lda(4) ldb(4) ldd(4) : tensor<8x4xf32>, tensor<4x4xf32>, tensor<8x4xf32>
    plan.gemm %panel transpose_a, %x into %g2 m(2) n(4) k(8) lda(4) ldb(4) ldd(4) : tensor<8x2xf32>, tensor<8x4xf32>, tensor<2x4xf32>
    plan.gemm %panel transpose_a, %x into %g2 m(2) n(4) k(8) lda(4) ldb(4) ldd(4) beta 1.0 : tensor<8x2xf32>, tensor<8x4xf32>, tensor<2x4xf32>
    // A launch that begins early would begin before what it waits for.
    plan.launch @norm reads(%all) writes(%norm) programmatic : (tensor<256xf32>) -> tensor<1xf32>
    plan.launch @norm reads(%all) writes(%norm) programmatic : (tensor<256xf32>) -> tensor<1xf32>
  }
  // Nothing is written to the gradients: one stream.
  // CHECK-LABEL: plan.program @evaluate_8 kind(evaluate) tokens(8) sequences(2) {
  // CHECK-NOT: stream(
  plan.program @evaluate_8 kind(evaluate) tokens(8) sequences(2) {
    %x = plan.buffer in @activations : tensor<4x4xf32>
    %y = plan.buffer in @activations : tensor<4x4xf32>
    plan.fill %x with 1.0 : tensor<4x4xf32>
    plan.gemm %x, %x into %y m(4) n(4) k(4) lda(4) ldb(4) ldd(4) : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
  }
}

// -----

// Gradients that steps of the main stream write: they come after what the other
// stream has written there, and what it writes next comes after them.
// CHECK-LABEL: plan.program @train_8 kind(train) tokens(8) sequences(2) streams(2) {
// CHECK: plan.fill
// CHECK-NEXT: plan.gemm {{.*}} stream(1) waits [0] :
// CHECK-NEXT: plan.copy {{.*}} waits [1] :
module {
  plan.allocation @gradients category(gradients) bytes(1024)
  plan.allocation @activations category(activations) bytes(0)
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    %x = plan.buffer in @activations : tensor<4x4xf32>
    %g = plan.buffer in @gradients at 0 : tensor<4x4xf32>
    %h = plan.buffer in @gradients at 64 : tensor<4x4xf32>
    plan.fill %x with 1.0 : tensor<4x4xf32>
    plan.gemm %x, %x into %g m(4) n(4) k(4) lda(4) ldb(4) ldd(4) : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
    plan.copy %x to %h : tensor<4x4xf32>, tensor<4x4xf32>
  }
}

// -----

// What the other stream reads must not stay for long: from 48 steps after the last
// wait on, the main stream waits for what is half of that old; the newer product, at
// step 30, is left to the end. The copy of the gradients waits for that one.
// CHECK-LABEL: plan.program @train_8 kind(train) tokens(8) sequences(2) streams(2) {
// CHECK: plan.gemm {{.*}} stream(1) waits [0] :
// CHECK-COUNT-28: plan.fill %{{[0-9]+}} with 0.000000e+00 : tensor<4x4xf32>
// CHECK-NEXT: plan.gemm {{.*}} stream(1) waits [29] :
// CHECK-COUNT-17: plan.fill %{{[0-9]+}} with 0.000000e+00 : tensor<4x4xf32>
// CHECK-NEXT: plan.fill %{{[0-9]+}} with 0.000000e+00 waits [1] : tensor<4x4xf32>
// CHECK-COUNT-20: plan.fill %{{[0-9]+}} with 0.000000e+00 : tensor<4x4xf32>
// CHECK-NEXT: plan.copy {{.*}} waits [30] :
// CHECK-NOT: plan.fill
module {
  plan.allocation @gradients category(gradients) bytes(1024)
  plan.allocation @activations category(activations) bytes(0)
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    %x = plan.buffer in @activations : tensor<4x4xf32>
    %y = plan.buffer in @activations : tensor<4x4xf32>
    %g = plan.buffer in @gradients at 0 : tensor<4x4xf32>
    %h = plan.buffer in @gradients at 64 : tensor<4x4xf32>
    plan.fill %x with 1.0 : tensor<4x4xf32>
    plan.gemm %x, %x into %g m(4) n(4) k(4) lda(4) ldb(4) ldd(4) : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.gemm %x, %x into %h m(4) n(4) k(4) lda(4) ldb(4) ldd(4) : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.fill %y with 0.0 : tensor<4x4xf32>
    plan.copy %g to %y : tensor<4x4xf32>, tensor<4x4xf32>
  }
}

// -----

// Gradients that the main stream writes through another buffer than the product
// that adds to them.
// CHECK-LABEL: plan.program @train_8 kind(train) tokens(8) sequences(2) streams(2) {
// CHECK: plan.fill
// CHECK-NEXT: plan.fill
// CHECK-NEXT: plan.gemm {{.*}} stream(1) waits [1] :
module {
  plan.allocation @gradients category(gradients) bytes(1024)
  plan.allocation @activations category(activations) bytes(0)
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    %x = plan.buffer in @activations : tensor<4x4xf32>
    %g = plan.buffer in @gradients at 64 : tensor<4x4xf32>
    %all = plan.buffer in @gradients at 0 : tensor<256xf32>
    plan.fill %x with 1.0 : tensor<4x4xf32>
    plan.fill %all with 0.0 : tensor<256xf32>
    plan.gemm %x, %x into %g m(4) n(4) k(4) lda(4) ldb(4) ldd(4) beta 1.0 : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
  }
}

// -----

// Sums over the batch run on a third stream, behind the products that they sum; those
// of activations over tp stay. The norm waits for the last product and the last sum.
// CHECK-LABEL: plan.program @train_8 kind(train) tokens(8) sequences(2) streams(3) {
// CHECK: plan.gemm {{.*}} stream(1) waits [0] :
// CHECK-NEXT: plan.collective all_reduce_sum axes [0] %{{.*}} stream(2) waits [1] :
// CHECK-NEXT: plan.gemm {{.*}} ldd(4) :
// CHECK-NEXT: plan.collective all_reduce_sum axes [1] %[[Y:.*]] to %[[Y]] :
// CHECK-NEXT: plan.gemm {{.*}} stream(1) waits [4] :
// CHECK-NEXT: plan.collective all_reduce_sum axes [0, 1] %{{.*}} stream(2) waits [5] :
// CHECK-NEXT: plan.launch @norm reads(%{{.*}}) writes(%{{.*}}) waits [5, 6] :
module attributes {plan.grid = [#plan.axis<name = "dp", size = 2>, #plan.axis<name = "tp", size = 2>]} {
  plan.allocation @weights category(weights) bytes(1024)
  plan.allocation @gradients category(gradients) bytes(1024)
  plan.allocation @activations category(activations) bytes(0)
  plan.code_object @code format(cubin) arch("sm_90") data("x")
  plan.kernel @norm "norm" code_object(@code)
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    %x = plan.buffer in @activations : tensor<8x4xf32>
    %y = plan.buffer in @activations : tensor<8x4xf32>
    %w = plan.buffer in @weights at 0 : tensor<4x4xf32>
    %g0 = plan.buffer in @gradients at 0 : tensor<4x4xf32>
    %g1 = plan.buffer in @gradients at 64 : tensor<4x4xf32>
    %r0 = plan.buffer in @gradients at 0 : tensor<16xf32>
    %r1 = plan.buffer in @gradients at 64 : tensor<16xf32>
    %all = plan.buffer in @gradients at 0 : tensor<256xf32>
    %norm = plan.buffer in @activations : tensor<1xf32>
    plan.fill %x with 1.0 : tensor<8x4xf32>
    plan.gemm %x transpose_a, %x into %g0 m(4) n(4) k(8) lda(4) ldb(4) ldd(4) : tensor<8x4xf32>, tensor<8x4xf32>, tensor<4x4xf32>
    plan.collective all_reduce_sum axes [0] %r0 to %r0 : tensor<16xf32>, tensor<16xf32>
    plan.gemm %x, %w into %y m(8) n(4) k(4) lda(4) ldb(4) ldd(4) : tensor<8x4xf32>, tensor<4x4xf32>, tensor<8x4xf32>
    plan.collective all_reduce_sum axes [1] %y to %y : tensor<8x4xf32>, tensor<8x4xf32>
    plan.gemm %y transpose_a, %x into %g1 m(4) n(4) k(8) lda(4) ldb(4) ldd(4) : tensor<8x4xf32>, tensor<8x4xf32>, tensor<4x4xf32>
    plan.collective all_reduce_sum axes [0, 1] %r1 to %r1 : tensor<16xf32>, tensor<16xf32>
    plan.launch @norm reads(%all) writes(%norm) grid [1, 1, 1] programmatic : (tensor<256xf32>) -> tensor<1xf32>
  }
}
