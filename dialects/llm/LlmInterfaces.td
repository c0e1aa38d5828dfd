//===- LlmInterfaces.td - What every llm op can be asked ------------------===//
#ifndef LLM_INTERFACES_TD
#define LLM_INTERFACES_TD

include "mlir/IR/OpBase.td"

def DifferentiableOpInterface : OpInterface<"DifferentiableOpInterface"> {
  let cppNamespace = "::llm";
  let description = [{
    Reverse-mode differentiation of one op. The pass `differentiate` walks the
    graph backwards and asks every active op for the gradients of those operands
    that lead to a trainable parameter, and of no others.
  }];
  let methods = [InterfaceMethod<[{
      Builds the gradient of every operand i with `wanted[i]`, given the gradient
      of each result (a null Value where none flows), at the builder's insertion
      point. Writes `operandGrads[i]`; leaves the others null. Fails with a
      diagnostic if a wanted gradient is not defined.
    }],
    "::mlir::LogicalResult", "buildGradients",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$resultGrads,
         "::llvm::ArrayRef<bool>":$wanted,
         "::llvm::SmallVectorImpl<::mlir::Value> &":$operandGrads)>];
}

def RowwiseOpInterface : OpInterface<"RowwiseOpInterface"> {
  let cppNamespace = "::llm";
  let description = [{
    An op that is a loop over rows with a scalar body and reductions over the
    row. `lower-to-rowwise` replaces it by what `lowerToRowwise` builds.
  }];
  let methods = [InterfaceMethod<[{
      Builds the equivalent `llm.rowwise` ops before this op and returns the
      values that replace its results.
    }],
    "::mlir::FailureOr<::llvm::SmallVector<::mlir::Value>>", "lowerToRowwise",
    (ins "::mlir::OpBuilder &":$builder)>];
}

def TokenwiseOpInterface : OpInterface<"TokenwiseOpInterface"> {
  let cppNamespace = "::llm";
  let description = [{
    Row t of the result depends on row t of some operands only, so the op
    commutes with a gather of rows. Lever: in classification the last block's
    output projection and MLP run on each sentence's last token alone.
  }];
  let methods = [InterfaceMethod<
      "Operand i is indexed by token (false: a weight, the same for every row).",
      "bool", "isTokenOperand", (ins "unsigned":$operand)>];
}

#endif // LLM_INTERFACES_TD
