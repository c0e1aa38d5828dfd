//===- LlmDialect.td - The dialect of the training graph ------------------===//
#ifndef LLM_DIALECT_TD
#define LLM_DIALECT_TD

include "mlir/IR/OpBase.td"

def Llm_Dialect : Dialect {
  let name = "llm";
  let cppNamespace = "::llm";
  let summary = "A Llama training graph: model, adapters, backward, optimizer";
  let description = [{
    Tensors are packed by token: activations are `[T, columns]` with T all real
    tokens of the local batch padded to a bucket. Matrices are row-major;
    `linear` weights are `[out, in]` as in the Hugging Face checkpoint, whose
    names `llm.weight` carries. Levels (docs/architecture.md): graph ops say what
    is computed forward; train ops add loss, gradients and the optimizer; fused
    ops (`llm.rowwise`, `llm.matmul`, `llm.attention*`) are one launch each.
  }];
  let useDefaultAttributePrinterParser = 1;
  let extraClassDeclaration = [{
    /// Names of the attributes that program functions carry.
    static constexpr llvm::StringLiteral kProgramAttr = "llm.program";
    static constexpr llvm::StringLiteral kInputAttr = "llm.input";
    static constexpr llvm::StringLiteral kOutputAttr = "llm.output";
    /// Of an argument: the output that its gradient becomes.
    static constexpr llvm::StringLiteral kGradientAttr = "llm.gradient";
    /// Of @model: its programs are of kind probe (a unit).
    static constexpr llvm::StringLiteral kProbesAttr = "llm.probes";
    static constexpr llvm::StringLiteral kModelAttr = "llm.model";
    static constexpr llvm::StringLiteral kTaskAttr = "llm.task";
    static constexpr llvm::StringLiteral kAdapterAttr = "llm.adapter";
    static constexpr llvm::StringLiteral kPlacementAttr = "llm.placement";
    static constexpr llvm::StringLiteral kLevelAttr = "llm.level";
    static constexpr llvm::StringLiteral kSourceAttr = "llm.source";
    /// Of a weight or parameter that is a part: shape of the whole, and for
    /// each dimension the grid axes that split it (as shard.sharding spells it).
    static constexpr llvm::StringLiteral kWholeShapeAttr = "llm.whole_shape";
    static constexpr llvm::StringLiteral kSplitAxesAttr = "llm.split_axes";
  }];
}

#endif // LLM_DIALECT_TD
