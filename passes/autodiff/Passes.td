//===- Passes.td - Backward and update ------------------------------------===//
include "mlir/Pass/PassBase.td"

def Differentiate : Pass<"autodiff-differentiate", "mlir::ModuleOp"> {
  let summary = "append the backward pass of every training program";
  let description = [{
    Requires: programs that return "loss" of shape [1] and hold at least one
    `llm.parameter`. Ensures: one `llm.gradient` for every parameter that the loss
    depends on, added to
    `llm.pending_gradient` where micro-batches accumulate. Only values that
    depend on a parameter get a gradient: nothing frozen, nothing below the first
    adapter. An input with `llm.gradient = "name"` gets one, too, which becomes the
    output of that name; an `llm.watch` makes its value get one, whose statistics
    become outputs, and is gone. Programs of kind probe store no gradient. Rules:
    DifferentiableOpInterface. Test: test/passes/autodiff/differentiate.mlir.

    ```mlir
    %p = llm.parameter "p" ...
    %z = llm.linear %x, %p : ...
    %loss = llm.mse %z, %labels, %scale : ...
    // gains
    %one = llm.constant dense<1.0> : tensor<1xf32> : tensor<1xf32>
    %dz = llm.mse_grad %z, %labels, %scale, %one : ...
    %dp = llm.matmul %dz, %x transpose_a : ...
    llm.gradient "p", %dp : ...
    ```
  }];
  let dependentDialects = ["llm::LlmDialect"];
}

def AttachOptimizer : Pass<"autodiff-attach-optimizer", "mlir::ModuleOp"> {
  let summary = "clipping, schedule and AdamW at the end of every train program";
  let description = [{
    Requires: differentiated programs. Ensures: one `llm.optimizer_step` over all
    parameters in programs of kind train, with the input "hyper" and the outputs
    "grad_norm" and "learning_rate"; gradients are cleared when micro-batches
    accumulate. Test: test/passes/autodiff/attach-optimizer.mlir.

    ```mlir
    llm.gradient "p", %dp : tensor<2x4xf32>
    return %loss : tensor<1xf32>
    // becomes
    llm.gradient "p", %dp : tensor<2x4xf32>
    %norm, %lr = llm.optimizer_step ["p"] %hyper : tensor<8xf64> -> tensor<1xf32>, tensor<1xf32>
    return %loss, %norm, %lr : ...
    ```
  }];
  let dependentDialects = ["llm::LlmDialect"];
}

def AttachAllocation : Pass<"autodiff-attach-allocation", "mlir::ModuleOp"> {
  let summary = "AdaLoRA's regulariser before the optimizer, its budget after it";
  let description = [{
    Requires: programs with an optimizer step. Does nothing unless `llm.adapter` is of
    kind adalora. Ensures: in train programs `llm.triplet_gradients` before the
    optimizer step and `llm.allocate_ranks` after it, with the input "adalora"; "loss"
    is the total that PEFT reports, "task_loss" is the task's, "kept" the masks.
    Evaluation programs
    return "regulariser". Test: test/passes/autodiff/attach-allocation.mlir.

    ```mlir
    %norm, %lr = llm.optimizer_step [...] %hyper : ...
    return %loss, %norm, %lr : ...
    // becomes
    %penalty = llm.triplet_gradients ["q_proj"] weight 0.5 : tensor<1xf32>
    %norm, %lr = llm.optimizer_step [...] %hyper : ...
    %kept = llm.allocate_ranks ["q_proj"] beta1 0.85 beta2 0.85 %adalora : ...
    %total = llm.add %loss, %penalty : tensor<1xf32>
    return %total, %norm, %lr, %loss, %kept : ...
    ```
  }];
  let dependentDialects = ["llm::LlmDialect"];
}

def VerifyTrain : Pass<"autodiff-verify", "mlir::ModuleOp"> {
  let summary = "the guarantees of level train";
  let description = [{
    Checks that in every training program each parameter has exactly one gradient
    (of its shape), in train programs exactly one update, and nothing else has
    either; evaluation programs have neither. Marks the module
    `llm.level = "train"`. Test: test/passes/autodiff/verify-train.mlir.

    ```mlir
    module attributes {llm.level = "graph"}  // becomes
    module attributes {llm.level = "train"}
    ```
  }];
}
