// Offsets of activations: storage is used again as soon as nobody reads it, and
// never before. Sizes count in multiples of 256 bytes; the largest buffer goes
// first, each as low as it fits.
// RUN: llama-opt %s --memory-plan-buffers -split-input-file | FileCheck %s
// RUN: llama-opt %s --memory-plan-buffers --memory-verify -split-input-file

// A chain: each step reads what the one before it wrote, so two places do for
// four buffers. The program's own bytes and the arena agree. Inputs keep their
// slot; a buffer that nobody uses is gone.
// CHECK: plan.allocation @activations category(activations) bytes(4096)
// CHECK-LABEL: plan.program @train_8
// CHECK-SAME: activation_bytes(4096)
// CHECK-NEXT: %[[IN:.*]] = plan.buffer in @inputs at 64 : tensor<512xf32>
// CHECK-NEXT: plan.input "x" %[[IN]]
// CHECK-NEXT: %[[A:.*]] = plan.buffer in @activations at 0 : tensor<512xf32>
// CHECK-NEXT: %[[B:.*]] = plan.buffer in @activations at 2048 : tensor<512xf32>
// CHECK-NEXT: %[[C:.*]] = plan.buffer in @activations at 0 : tensor<512xf32>
// CHECK-NEXT: %[[D:.*]] = plan.buffer in @activations at 2048 : tensor<512xf32>
// CHECK-NEXT: plan.copy %[[IN]] to %[[A]]
// CHECK-NEXT: plan.copy %[[A]] to %[[B]]
// CHECK-NEXT: plan.copy %[[B]] to %[[C]]
// CHECK-NEXT: plan.copy %[[C]] to %[[D]]
// CHECK-NEXT: plan.output "y" %[[D]]
module {
  plan.allocation @inputs category(inputs) bytes(4096)
  plan.allocation @activations category(activations) bytes(0)
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    %in = plan.buffer in @inputs at 64 : tensor<512xf32>
    plan.input "x" %in : tensor<512xf32>
    %unused = plan.buffer in @activations : tensor<4096xf32>
    %a = plan.buffer in @activations : tensor<512xf32>
    %b = plan.buffer in @activations : tensor<512xf32>
    %c = plan.buffer in @activations : tensor<512xf32>
    %d = plan.buffer in @activations : tensor<512xf32>
    plan.copy %in to %a : tensor<512xf32>, tensor<512xf32>
    plan.copy %a to %b : tensor<512xf32>, tensor<512xf32>
    plan.copy %b to %c : tensor<512xf32>, tensor<512xf32>
    plan.copy %c to %d : tensor<512xf32>, tensor<512xf32>
    plan.output "y" %d : tensor<512xf32>
  }
}

// -----

// Forward activations that the backward pass reads live across it: %a and %b are
// both there until the end, so the three buffers are three places. The largest
// (%c) is first. %a, of 4 bytes, takes 256.
// CHECK: plan.allocation @activations category(activations) bytes(2816)
// CHECK: %[[A:.*]] = plan.buffer in @activations at 2560 : tensor<1xf32>
// CHECK-NEXT: %[[B:.*]] = plan.buffer in @activations at 2048 : tensor<128xf32>
// CHECK-NEXT: %[[C:.*]] = plan.buffer in @activations at 0 : tensor<512xf32>
module {
  plan.allocation @activations category(activations) bytes(0)
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    %a = plan.buffer in @activations : tensor<1xf32>
    %b = plan.buffer in @activations : tensor<128xf32>
    %c = plan.buffer in @activations : tensor<512xf32>
    %a2 = plan.buffer in @activations : tensor<1xf32>
    %b2 = plan.buffer in @activations : tensor<128xf32>
    plan.fill %a with 0.0 : tensor<1xf32>
    plan.fill %b with 0.0 : tensor<128xf32>
    plan.fill %c with 0.0 : tensor<512xf32>
    plan.copy %b to %b2 : tensor<128xf32>, tensor<128xf32>
    plan.copy %a to %a2 : tensor<1xf32>, tensor<1xf32>
  }
}

// -----

// What a dead buffer (%a, below %b) leaves is filled again: %g, %c and %k take its
// bytes 0 to 3840; %l does not fit into the 256 that remain and goes above %b; %m,
// smaller, does fit.
// CHECK: plan.allocation @activations category(activations) bytes(6656)
// CHECK: plan.buffer in @activations at 0 : tensor<1024xf32>
// CHECK-NEXT: plan.buffer in @activations at 4096 : tensor<512xf32>
// CHECK-NEXT: plan.buffer in @activations at 0 : tensor<512xf32>
// CHECK-NEXT: plan.buffer in @activations at 2048 : tensor<256xf32>
// CHECK-NEXT: plan.buffer in @activations at 3072 : tensor<192xf32>
// CHECK-NEXT: plan.buffer in @activations at 6144 : tensor<128xf32>
// CHECK-NEXT: plan.buffer in @activations at 3840 : tensor<64xf32>
module {
  plan.allocation @outputs category(outputs) bytes(4096)
  plan.allocation @activations category(activations) bytes(0)
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    %out = plan.buffer in @outputs at 0 : tensor<1024xf32>
    %a = plan.buffer in @activations : tensor<1024xf32>
    %b = plan.buffer in @activations : tensor<512xf32>
    %g = plan.buffer in @activations : tensor<512xf32>
    %c = plan.buffer in @activations : tensor<256xf32>
    %k = plan.buffer in @activations : tensor<192xf32>
    %l = plan.buffer in @activations : tensor<128xf32>
    %m = plan.buffer in @activations : tensor<64xf32>
    plan.fill %a with 0.0 : tensor<1024xf32>
    plan.fill %b with 0.0 : tensor<512xf32>
    plan.copy %a to %out : tensor<1024xf32>, tensor<1024xf32>
    plan.fill %g with 0.0 : tensor<512xf32>
    plan.fill %c with 0.0 : tensor<256xf32>
    plan.fill %k with 0.0 : tensor<192xf32>
    plan.fill %l with 0.0 : tensor<128xf32>
    plan.fill %m with 0.0 : tensor<64xf32>
    plan.output "b" %b : tensor<512xf32>
    plan.output "g" %g : tensor<512xf32>
    plan.output "c" %c : tensor<256xf32>
    plan.output "k" %k : tensor<192xf32>
    plan.output "l" %l : tensor<128xf32>
    plan.output "m" %m : tensor<64xf32>
  }
}

// -----

// Programs share the arena: it is as large as the larger needs. An output that the
// first step writes lives to the end, an input before the first step.
// CHECK: plan.allocation @activations category(activations) bytes(4096)
// CHECK-LABEL: plan.program @evaluate_8
// CHECK-SAME: activation_bytes(256)
// CHECK-LABEL: plan.program @evaluate_16
// CHECK-SAME: activation_bytes(4096)
// CHECK-NEXT: %[[X:.*]] = plan.buffer in @activations at 0 : tensor<512xf32>
// CHECK-NEXT: plan.input "x" %[[X]]
// CHECK-NEXT: plan.buffer in @activations at 2048 : tensor<512xf32>
// CHECK-NEXT: plan.buffer in @activations at 0 : tensor<512xf32>
module {
  plan.allocation @activations category(activations) bytes(0)
  plan.program @evaluate_8 kind(evaluate) tokens(8) sequences(2) {
    %a = plan.buffer in @activations : tensor<8xf32>
    plan.fill %a with 0.0 : tensor<8xf32>
  }
  plan.program @evaluate_16 kind(evaluate) tokens(16) sequences(2) {
    %x = plan.buffer in @activations : tensor<512xf32>
    plan.input "x" %x : tensor<512xf32>
    %y = plan.buffer in @activations : tensor<512xf32>
    %z = plan.buffer in @activations : tensor<512xf32>
    plan.copy %x to %y : tensor<512xf32>, tensor<512xf32>
    plan.fill %z with 0.0 : tensor<512xf32>
    plan.output "y" %y : tensor<512xf32>
  }
}

// -----

// An arena that nothing needs still is one.
// CHECK: plan.allocation @activations category(activations) bytes(256)
module {
  plan.allocation @activations category(activations) bytes(0)
}

// -----

// What a step of another stream reads stays until the main stream has waited for that
// step: %y, %z and %u, at whose step it waits, cannot have %x's bytes, though nobody
// reads it after step 1; %v, after that, can. Without a wait %v stays to the end: %w
// goes elsewhere. Views keep their buffer; an unused one does not.
// CHECK-LABEL: plan.program @train_8
// CHECK: %[[X:.*]] = plan.buffer in @activations at 0 : tensor<4x16xf32>
// CHECK-NEXT: plan.view %[[X]] at 0 pitch(16)
// CHECK-NEXT: plan.buffer in @activations at 256 : tensor<4x16xf32>
// CHECK-NEXT: plan.buffer in @activations at 256 : tensor<4x16xf32>
// CHECK-NEXT: plan.buffer in @activations at 256 : tensor<4x16xf32>
// CHECK-NEXT: plan.buffer in @activations at 0 : tensor<4x16xf32>
// CHECK-NEXT: plan.buffer in @activations at 256 : tensor<4x16xf32>
// CHECK-NOT: plan.view
module {
  plan.allocation @gradients category(gradients) bytes(4096)
  plan.allocation @activations category(activations) bytes(0)
  plan.program @train_8 kind(train) tokens(8) sequences(2) streams(2) {
    %x = plan.buffer in @activations : tensor<4x16xf32>
    %left = plan.view %x at 0 pitch(16) : tensor<4x16xf32> -> tensor<4x4xf32>
    %y = plan.buffer in @activations : tensor<4x16xf32>
    %z = plan.buffer in @activations : tensor<4x16xf32>
    %u = plan.buffer in @activations : tensor<4x16xf32>
    %v = plan.buffer in @activations : tensor<4x16xf32>
    %w = plan.buffer in @activations : tensor<4x16xf32>
    %dead = plan.buffer in @activations : tensor<4x16xf32>
    %unused = plan.view %dead at 0 pitch(16) : tensor<4x16xf32> -> tensor<4x4xf32>
    %g = plan.buffer in @gradients at 0 : tensor<4x4xf32>
    %h = plan.buffer in @gradients at 256 : tensor<4x16xf32>
    plan.fill %x with 1.0 : tensor<4x16xf32>
    plan.gemm %left, %left into %g m(4) n(4) k(4) lda(16) ldb(16) ldd(4) stream(1) waits [0] : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
    plan.fill %y with 1.0 : tensor<4x16xf32>
    plan.fill %z with 1.0 : tensor<4x16xf32>
    plan.fill %u with 1.0 waits [1] : tensor<4x16xf32>
    plan.fill %v with 1.0 : tensor<4x16xf32>
    plan.copy %v to %h stream(1) waits [5] : tensor<4x16xf32>, tensor<4x16xf32>
    plan.fill %w with 1.0 : tensor<4x16xf32>
  }
}
