//===- PlanAttrs.td - Enums and attributes of the plan dialect ------------===//
#ifndef PLAN_ATTRS_TD
#define PLAN_ATTRS_TD

include "dialects/plan/PlanDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

// Values and order are those of the enums of the same name in plan.fbs.
class Plan_Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::plan";
}

def Plan_Category : Plan_Enum<"Category", "what an allocation holds", [
    I32EnumAttrCase<"Weights", 0, "weights">,
    I32EnumAttrCase<"Parameters", 1, "parameters">,
    I32EnumAttrCase<"Gradients", 2, "gradients">,
    I32EnumAttrCase<"OptimizerState", 3, "optimizer_state">,
    I32EnumAttrCase<"Inputs", 4, "inputs">,
    I32EnumAttrCase<"Outputs", 5, "outputs">,
    I32EnumAttrCase<"Activations", 6, "activations">,
    I32EnumAttrCase<"Constants", 7, "constants">,
    I32EnumAttrCase<"Workspace", 8, "workspace">]>;

def Plan_Role : Plan_Enum<"Role", "what a persistent tensor is for", [
    I32EnumAttrCase<"Weight", 0, "weight">,
    I32EnumAttrCase<"Parameter", 1, "parameter">,
    I32EnumAttrCase<"Gradient", 2, "gradient">,
    I32EnumAttrCase<"FirstMoment", 3, "first_moment">,
    I32EnumAttrCase<"SecondMoment", 4, "second_moment">,
    I32EnumAttrCase<"Constant", 5, "constant">,
    I32EnumAttrCase<"State", 6, "state">,
    I32EnumAttrCase<"Sensitivity", 7, "sensitivity">,
    I32EnumAttrCase<"Uncertainty", 8, "uncertainty">]>;

def Plan_InitKind : Plan_Enum<"InitKind", "how a tensor gets its first value", [
    I32EnumAttrCase<"Checkpoint", 0, "checkpoint">,
    I32EnumAttrCase<"Zero", 1, "zero">,
    I32EnumAttrCase<"Uniform", 2, "uniform">,
    I32EnumAttrCase<"Normal", 3, "normal">,
    I32EnumAttrCase<"Value", 4, "value">,
    I32EnumAttrCase<"Data", 5, "data">]>;

def Plan_CodeFormat : Plan_Enum<"CodeFormat", "container of machine code", [
    I32EnumAttrCase<"ElfSharedObject", 0, "elf">,
    I32EnumAttrCase<"Cubin", 1, "cubin">,
    I32EnumAttrCase<"Ptx", 2, "ptx">]>;

def Plan_ProgramKind : Plan_Enum<"ProgramKind", "what a program does", [
    I32EnumAttrCase<"Train", 0, "train">,
    I32EnumAttrCase<"Accumulate", 1, "accumulate">,
    I32EnumAttrCase<"Evaluate", 2, "evaluate">,
    I32EnumAttrCase<"Reshard", 3, "reshard">,
    I32EnumAttrCase<"Gradient", 4, "gradient">,
    I32EnumAttrCase<"Probe", 5, "probe">]>;

def Plan_Side : Plan_Enum<"Side", "whose layout a tensor has", [
    I32EnumAttrCase<"Own", 0, "own">,
    I32EnumAttrCase<"Source", 1, "source">,
    I32EnumAttrCase<"Target", 2, "target">]>;

def Plan_CollectiveKind : Plan_Enum<"CollectiveKind", "collective operation", [
    I32EnumAttrCase<"AllReduceSum", 0, "all_reduce_sum">,
    I32EnumAttrCase<"AllReduceMax", 1, "all_reduce_max">,
    I32EnumAttrCase<"AllGather", 2, "all_gather">,
    I32EnumAttrCase<"ReduceScatterSum", 3, "reduce_scatter_sum">,
    I32EnumAttrCase<"Broadcast", 4, "broadcast">]>;

class Plan_Attr<string name, string m> : AttrDef<Plan_Dialect, name> { let mnemonic = m; }

def Plan_Target : Plan_Attr<"Target", "target"> {
  let summary = "the machine a plan is for: kind (cpu, cuda), architecture, features";
  let parameters = (ins StringRefParameter<"kind">:$kind, StringRefParameter<"arch">:$arch,
                        StringRefParameter<"features">:$features);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Plan_Axis : Plan_Attr<"Axis", "axis"> {
  let summary = "one axis of the device grid";
  let parameters = (ins StringRefParameter<"name">:$name, "int64_t":$size);
  let assemblyFormat = "`<` struct(params) `>`";
}

#endif // PLAN_ATTRS_TD
