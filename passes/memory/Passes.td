//===- Passes.td - Offsets in the arena -----------------------------------===//
include "mlir/Pass/PassBase.td"

def AssignStreams : Pass<"memory-assign-streams", "mlir::ModuleOp"> {
  let summary = "gradients of parameters are computed beside the backward pass";
  let description = [{
    Requires: a plan on one stream, activations without offsets. Ensures: products
    that are written to the gradients run on stream 1, after the main step before
    them; the first step that reads gradients waits for them, and the
    main stream waits for old ones now and then so that what they read does not
    stay for long. Sums of gradients over devices, and all
    else that goes along the batch axis, run on stream 2, behind what they read.
    Test: test/passes/memory/assign-streams.mlir.

    ```mlir
    plan.gemm %dt transpose_a, %x into %da ...                  // da in @gradients
    // becomes
    plan.gemm %dt transpose_a, %x into %da ... stream(1) waits [4]
    ```
  }];
  let dependentDialects = ["plan::PlanDialect"];
}

def PlanBuffers : Pass<"memory-plan-buffers", "mlir::ModuleOp"> {
  let summary = "give every activation an offset in the arena";
  let description = [{
    Requires: plan.programs. Ensures: every `plan.buffer` has an offset, no two that
    are live together overlap, `activation_bytes` and the arena's size are set.
    Largest first, each at the lowest free offset (first fit by size, as in Pisarchyk
    and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020).
    Test: test/passes/memory/plan-buffers.mlir.

    ```mlir
    %x = plan.buffer in @activations : tensor<8x64xf32>   // becomes
    %x = plan.buffer in @activations at 2048 : tensor<8x64xf32>
    ```
  }];
}

def VerifyBuffers : Pass<"memory-verify", "mlir::ModuleOp"> {
  let summary = "the guarantees of level plan";
  let description = [{
    Checks, apart from the planner, that no two activation buffers that are live at
    the same step share a byte and that each is written before it is read.
    Test: test/passes/memory/verify-buffers.mlir.

    ```mlir
    %x = plan.buffer in @activations at 0 : tensor<8xf32>
    %y = plan.buffer in @activations at 16 : tensor<8xf32>  // error while %x is live
    ```
  }];
}
