//===- PlanDialect.td - The dialect of the compiled plan ------------------===//
#ifndef PLAN_DIALECT_TD
#define PLAN_DIALECT_TD

include "mlir/IR/OpBase.td"

def Plan_Dialect : Dialect {
  let name = "plan";
  let cppNamespace = "::plan";
  let summary = "What plan.fb holds: memory, tensors, kernels, programs of steps";
  let description = [{
    A one-to-one mirror of runtime/plan/plan.fbs; docs/plan.md gives the names of
    program inputs and outputs. The plan is the module: `plan.*` ops at its top
    level are the tables of the schema, and these attributes are its scalars:

    | attribute | value |
    |---|---|
    | `plan.target` | `#plan.target<kind = "cpu", arch = "x86-64-v3", features = "">` |
    | `plan.grid` | `[#plan.axis<name = "dp", size = 1>]`; may be absent: one device |
    | `plan.source_grid`, `plan.target_grid` | as `plan.grid`: the two layouts of a plan that changes layouts |
    | `plan.compute` | element type of activations; absent: `f32` |
    | `plan.flags` | string: the command line that made the plan, less file paths |
    | `plan.model_hash` | string: hash of the model.mlir it was made from |
    | `llm.model`, `llm.task`, `llm.adapter` | attributes of the llm dialect |

    Storage is explicit: `plan.buffer` names bytes of an allocation, every step
    reads and writes buffers, and the order of the steps is the order of the ops.
    A tensor-typed SSA value of this dialect is a place, not a value: two steps may
    write the same one.
  }];
  let dependentDialects = ["::llm::LlmDialect"];
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let extraClassDeclaration = [{
    /// Names of the module attributes.
    static constexpr llvm::StringLiteral kTargetAttr = "plan.target";
    static constexpr llvm::StringLiteral kGridAttr = "plan.grid";
    static constexpr llvm::StringLiteral kSourceGridAttr = "plan.source_grid";
    static constexpr llvm::StringLiteral kTargetGridAttr = "plan.target_grid";
    static constexpr llvm::StringLiteral kComputeAttr = "plan.compute";
    static constexpr llvm::StringLiteral kFlagsAttr = "plan.flags";
    static constexpr llvm::StringLiteral kModelHashAttr = "plan.model_hash";
  }];
}

#endif // PLAN_DIALECT_TD
