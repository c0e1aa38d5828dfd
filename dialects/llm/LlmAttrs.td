//===- LlmAttrs.td - Attributes of the llm dialect ------------------------===//
#ifndef LLM_ATTRS_TD
#define LLM_ATTRS_TD

include "dialects/llm/LlmDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

class Llm_Attr<string name, string m> : AttrDef<Llm_Dialect, name> { let mnemonic = m; }

def Llm_Model : Llm_Attr<"Model", "model"> {
  let summary = "sizes of the model, as config.json gives them";
  let parameters = (ins
    StringRefParameter<"name">:$name,
    "int64_t":$hidden, "int64_t":$intermediate, "int64_t":$layers,
    "int64_t":$heads, "int64_t":$kv_heads, "int64_t":$head_dim,
    "int64_t":$vocab, "int64_t":$max_positions, "bool":$tied_embeddings);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Llm_RopeScaling : Llm_Attr<"RopeScaling", "rope_scaling"> {
  let summary = "llama3 frequency scaling (transformers modeling_rope_utils.py)";
  let parameters = (ins "::mlir::FloatAttr":$factor, "::mlir::FloatAttr":$low_freq_factor,
                        "::mlir::FloatAttr":$high_freq_factor, "int64_t":$original_max_positions);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Llm_ProgramKind : I32EnumAttr<"ProgramKind", "what a program function does", [
    I32EnumAttrCase<"Train", 0, "train">,
    I32EnumAttrCase<"Accumulate", 1, "accumulate">,
    I32EnumAttrCase<"Evaluate", 2, "evaluate">,
    I32EnumAttrCase<"Gradient", 3, "gradient">,
    I32EnumAttrCase<"Probe", 4, "probe">]> {
  let cppNamespace = "::llm";
}

def Llm_Program : Llm_Attr<"Program", "program"> {
  let summary = "kind and static sizes of one program function";
  let parameters = (ins EnumParameter<Llm_ProgramKind>:$kind,
                        "int64_t":$tokens, "int64_t":$sequences);
  let assemblyFormat = "`<` $kind `,` `tokens` `=` $tokens `,` `sequences` `=` $sequences `>`";
}

def Llm_Head : I32EnumAttr<"Head", "what the last layer predicts", [
    I32EnumAttrCase<"Classification", 0, "classification">,
    I32EnumAttrCase<"Regression", 1, "regression">,
    I32EnumAttrCase<"CausalLM", 2, "causal_lm">]> {
  let cppNamespace = "::llm";
}

def Llm_Task : Llm_Attr<"Task", "task"> {
  let summary = "task head and batch sizes";
  let parameters = (ins StringRefParameter<"name">:$name, EnumParameter<Llm_Head>:$head,
                        "int64_t":$labels, "int64_t":$batch, "int64_t":$max_length,
                        "int64_t":$accumulation);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Llm_AdaLora : Llm_Attr<"AdaLora", "adalora"> {
  let summary = "what AdaLoRA's budget needs, in PEFT's terms";
  let description = [{
    `total_step` 0 stands for the length of the training. Source: PEFT
    tuners/adalora/config.py.
  }];
  let parameters = (ins "int64_t":$target_rank, "int64_t":$tinit, "int64_t":$tfinal, "int64_t":$delta_t,
                        "::mlir::FloatAttr":$beta1, "::mlir::FloatAttr":$beta2,
                        "::mlir::FloatAttr":$orth_reg_weight, "int64_t":$total_step);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Llm_Adapter : Llm_Attr<"Adapter", "adapter"> {
  let summary = "the adapter a plan trains, in PEFT's terms";
  let description = [{
    `targets` is what the user gave, `modules` what it matched. `rank_pattern`
    and `alpha_pattern` map PEFT keys to numbers. Kind "adalora" has `adalora`; its
    rank is init_r.
  }];
  let parameters = (ins StringRefParameter<"kind">:$kind, "int64_t":$rank, "::mlir::FloatAttr":$alpha,
                        "::mlir::FloatAttr":$dropout, "bool":$use_rslora,
                        "::mlir::ArrayAttr":$targets, "bool":$targets_is_regex,
                        "::mlir::ArrayAttr":$modules,
                        "::mlir::DictionaryAttr":$rank_pattern,
                        "::mlir::DictionaryAttr":$alpha_pattern,
                        OptionalParameter<"::llm::AdaLoraAttr">:$adalora);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Llm_PlacedModule : Llm_Attr<"PlacedModule", "placed"> {
  let summary = "what a placement says of one linear layer";
  let description = [{
    `value` is the statistic of the probes, `per_rank` the parameters of an adapter of
    rank 1; rank 0: no adapter.
  }];
  let parameters = (ins StringRefParameter<"module">:$module, "::mlir::FloatAttr":$value,
                        "int64_t":$per_rank, "int64_t":$rank);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Llm_Placement : Llm_Attr<"Placement", "placement"> {
  let summary = "which layers get an adapter of which rank, and why";
  let description = [{
    `budget`, `spent` and `whole`, of adapters of rank `rank` on all of `modules`
    (#llm.placed, in the order of the graph), count what `unit` says: "parameters" or
    "ranks".
  }];
  let parameters = (ins StringRefParameter<"statistic">:$statistic, StringRefParameter<"rule">:$rule,
                        StringRefParameter<"unit">:$unit, "int64_t":$rank, "int64_t":$budget, "int64_t":$spent, "int64_t":$whole,
                        "::mlir::ArrayAttr":$modules);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Llm_InitKind : I32EnumAttr<"InitKind", "how a tensor gets its first value", [
    I32EnumAttrCase<"Zero", 0, "zero">,
    I32EnumAttrCase<"Uniform", 1, "uniform">,
    I32EnumAttrCase<"Normal", 2, "normal">,
    I32EnumAttrCase<"Value", 3, "value">]> {
  let cppNamespace = "::llm";
}

def Llm_Init : Llm_Attr<"Init", "init"> {
  let summary = "first value: zero, U(-a, a), N(0, a), or a everywhere";
  let parameters = (ins EnumParameter<Llm_InitKind>:$kind, "::mlir::FloatAttr":$a);
  let assemblyFormat = "`<` $kind `,` $a `>`";
}

def Llm_ReduceKind : I32EnumAttr<"ReduceKind", "reduction over a row", [
    I32EnumAttrCase<"Add", 0, "add">, I32EnumAttrCase<"Max", 1, "max">]> {
  let cppNamespace = "::llm";
}

#endif // LLM_ATTRS_TD
