//===- Passes.td - From fused ops to steps over buffers -------------------===//
include "mlir/Pass/PassBase.td"

def LowerToPlan : Pass<"lower-to-plan", "mlir::ModuleOp"> {
  let summary = "functions become plan.programs, tensors become storage";
  let description = [{
    Requires: level fused. Ensures: only the plan dialect at module level:
    allocations, persistent tensors, constants, kernels that still hold their
    source op (equal ones once, whatever the bucket), and programs whose activation
    buffers have no offset yet. Gradients are written straight into their slot of
    the flat buffer, results into their output slot, accumulated products into the
    buffer they add to. Test: test/passes/lower/lower-to-plan.mlir.

    ```mlir
    func.func @train_8(...) { %y = llm.matmul %x, %w transpose_b : ... }
    // becomes
    plan.allocation @weights ...
    plan.tensor "w" role(weight) in @weights at 0 : tensor<4x4xf32> init(checkpoint)
    plan.program @train_8 ... {
      %x = plan.buffer ...
      plan.gemm %x, %w transpose_b into %y m(8) n(4) k(4) ...
    }
    ```
  }];
  let options = [
    Option<"stridedAttention", "strided-attention", "bool", "false",
           "the attention kernels take rows that lie apart, as those of CUDA do">,
    Option<"workspace", "workspace", "int64_t", "0", "bytes of scratch for the library behind plan.gemm">];
  let dependentDialects = ["plan::PlanDialect"];
}
