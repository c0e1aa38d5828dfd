//===- PlanInterfaces.td - What every step of a program can be asked ------===//
#ifndef PLAN_INTERFACES_TD
#define PLAN_INTERFACES_TD

include "mlir/IR/OpBase.td"

def StepOpInterface : OpInterface<"StepOpInterface"> {
  let cppNamespace = "::plan";
  let description = [{
    One entry of `Program.steps`. The index of a step is its position among the
    steps of its program.
  }];
  let methods = [
    InterfaceMethod<[{
        Buffers whose old content the step uses, in operand order. One that is also
        written (`plan.gemm` with beta, a kernel that updates in place) is in both
        lists.
      }],
      "::llvm::SmallVector<::mlir::Value>", "getReads">,
    InterfaceMethod<"Buffers that the step writes, in operand order.",
      "::llvm::SmallVector<::mlir::Value>", "getWrites">,
    InterfaceMethod<"Stream the step runs on.", "uint64_t", "getStepStream", (ins),
      "return $_op.getStream();">,
    InterfaceMethod<"Moves the step to another stream.", "void", "setStepStream",
      (ins "uint64_t":$stream), "$_op.setStream(stream);">,
    InterfaceMethod<"Indices of earlier steps on other streams that must finish first.",
      "::llvm::ArrayRef<int64_t>", "getStepWaits", (ins), "return $_op.getWaits();">,
    InterfaceMethod<"Replaces the indices of the steps that must finish first.", "void",
      "setStepWaits", (ins "::llvm::ArrayRef<int64_t>":$waits), "$_op.setWaits(waits);">];
}

#endif // PLAN_INTERFACES_TD
