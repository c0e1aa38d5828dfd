// Programs whose buffers do not disturb each other pass, though they share bytes
// one after the other, and though a step may write over what it reads in place.
// RUN: llama-opt %s --memory-verify | FileCheck %s

// CHECK: plan.program @train_8
module {
  plan.allocation @activations category(activations) bytes(8192)
  plan.allocation @outputs category(outputs) bytes(4096)
  plan.code_object @code format(elf) arch("x86-64-v3") data("\7FELF")
  plan.kernel @negate "negate" code_object(@code)
  plan.program @train_8 kind(train) tokens(8) sequences(2) {
    %x = plan.buffer in @activations at 0 : tensor<512xf32>
    plan.input "x" %x : tensor<512xf32>
    %y = plan.buffer in @activations at 2048 : tensor<512xf32>
    %z = plan.buffer in @activations at 0 : tensor<256xf32>
    %u = plan.buffer in @activations at 1024 : tensor<256xf32>
    %out = plan.buffer in @outputs at 0 : tensor<512xf32>
    plan.copy %x to %y : tensor<512xf32>, tensor<512xf32>
    // %x is dead: its bytes belong to %z and %u.
    plan.fill %z with 0.0 : tensor<256xf32>
    plan.fill %u with 1.0 : tensor<256xf32>
    // In place.
    plan.launch @negate reads(%z) writes(%z) : (tensor<256xf32>) -> tensor<256xf32>
    plan.copy %z to %u : tensor<256xf32>, tensor<256xf32>
    plan.copy %y to %out : tensor<512xf32>, tensor<512xf32>
    plan.output "y" %out : tensor<512xf32>
    plan.output "u" %u : tensor<256xf32>
  }
  // Each program starts from an arena that holds nothing.
  plan.program @evaluate_8 kind(evaluate) tokens(8) sequences(2) {
    %a = plan.buffer in @activations at 4096 : tensor<256xf32>
    plan.fill %a with 0.0 : tensor<256xf32>
    plan.output "a" %a : tensor<256xf32>
  }
}
