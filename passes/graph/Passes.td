//===- Passes.td - From a model file to static program graphs -------------===//
include "mlir/Pass/PassBase.td"

def UnrollLayers : Pass<"graph-unroll-layers", "mlir::ModuleOp"> {
  let summary = "expand llm.layers into one copy of the block per layer";
  let description = [{
    Requires: a model file. Ensures: no `llm.layers`; `{layer}` in names is the
    layer's number. Test: test/passes/graph/unroll-layers.mlir.

    ```mlir
    %h = llm.layers count(2) carry(%x) : (tensor<?x4xf32>) { ^bb0(%a: tensor<?x4xf32>): ... "l.{layer}.w" ... }
    // becomes
    %w0 = llm.weight "l.0.w" : tensor<4xf32>
    %h0 = llm.rms_norm %x, %w0 ...
    %w1 = llm.weight "l.1.w" : tensor<4xf32>
    %h1 = llm.rms_norm %h0, %w1 ...
    ```
  }];
  let dependentDialects = ["llm::LlmDialect"];
}

def ConvertPrecision : Pass<"graph-convert-precision", "mlir::ModuleOp"> {
  let summary = "compute in one element type";
  let description = [{
    Requires: any graph. Ensures: weights and activations have the element type
    `compute`; tables of angles, the statistics of attention, losses, their labels
    and scales are f32 in any case. The runtime converts weights as it loads them. Test:
    test/passes/graph/convert-precision.mlir.

    ```mlir
    %w = llm.weight "w" : tensor<4xbf16>   // becomes
    %w = llm.weight "w" : tensor<4xf32>
    ```
  }];
  let options = [
    Option<"compute", "compute", "std::string", "\"f32\"", "f32 or bf16">];
}

def AttachHead : Pass<"graph-attach-head", "mlir::ModuleOp"> {
  let summary = "turn @hidden and @logits into one @model with head and loss";
  let description = [{
    Requires: functions `@hidden` and (causal LM) `@logits` of a model file.
    Ensures: one function `@model`, its arguments and results named by
    `llm.input` and `llm.output` (docs/plan.md); `llm.task` on the module. Heads:
    classification (`score` on the last token, cross entropy), regression
    (`score`, squared error), causal LM (next token of the same sequence).
    Test: test/passes/graph/attach-head.mlir.

    ```mlir
    func.func @hidden(%ids: tensor<?xi32>, ...) -> tensor<?x4xf32>
    // becomes
    func.func @model(%ids: tensor<?xi32> {llm.input = "input_ids"}, ...)
        -> (tensor<1xf32> {llm.output = "loss"}, tensor<2x3xf32> {llm.output = "logits"}) {
      ...
      %p = llm.gather_rows %h, %last_token, %pool_index ...
      %s = llm.parameter "score.weight" init <normal, 2.0e-02> : tensor<3x4xf32>
      %z = llm.linear %p, %s ...
      %loss = llm.cross_entropy %z, %labels, %loss_scale ...
    ```
  }];
  let options = [
    Option<"task", "task", "std::string", "\"sst2\"", "name of the task">,
    Option<"head", "head", "std::string", "\"classification\"", "classification, regression or causal_lm">,
    Option<"labels", "labels", "int64_t", "2", "number of classes (1 for regression)">,
    Option<"batch", "batch", "int64_t", "8", "sequences a batch holds at most">,
    Option<"maxLength", "max-length", "int64_t", "128", "tokens a sequence keeps">,
    Option<"accumulation", "accumulation", "int64_t", "1", "micro-batches an optimizer step adds up">];
  let dependentDialects = ["llm::LlmDialect"];
}

def NarrowToPooled : Pass<"graph-narrow-to-pooled", "mlir::ModuleOp"> {
  let summary = "move the gather of last tokens up through token-wise ops";
  let description = [{
    Requires: `@model`, the gathered rows named by an argument. Ensures: the same
    results; token-wise ops whose every user gathers the same rows run on those
    rows alone, so in classification the last block's output projection and MLP
    see one token a sentence.
    Test: test/passes/graph/narrow-to-pooled.mlir.

    ```mlir
    %y = llm.linear %x, %w : (tensor<?x4xf32>, ...) -> tensor<?x8xf32>
    %p = llm.gather_rows %y, %last, %pool : ... -> tensor<2x8xf32>
    // becomes
    %g = llm.gather_rows %x, %last, %pool : ... -> tensor<2x4xf32>
    %p = llm.linear %g, %w : (tensor<2x4xf32>, ...) -> tensor<2x8xf32>
    ```
  }];
}

def InstantiateBuckets : Pass<"graph-instantiate-buckets", "mlir::ModuleOp"> {
  let summary = "one function per program and token bucket, shapes static";
  let description = [{
    Requires: `@model` with `?` for tokens. Ensures: functions `@train_T`,
    `@evaluate_T` and, with accumulation, `@accumulate_T` for every bucket T, or
    `@probe_T` alone where `@model` has `llm.probes` (`adapters-insert-probes`); of
    these only `@evaluate_T` returns logits; `@model` is gone.
    Test: test/passes/graph/instantiate-buckets.mlir.

    ```mlir
    func.func @model(%ids: tensor<?xi32>, ...)
    // becomes, with buckets=64
    func.func @train_64(%ids: tensor<64xi32>, ...) attributes {llm.program = #llm.program<train, tokens = 64, sequences = 8>}
    func.func @evaluate_64(...)
    ```
  }];
  let options = [ListOption<"buckets", "buckets", "int64_t", "token counts, ascending">];
}

def VerifyGraph : Pass<"graph-verify", "mlir::ModuleOp"> {
  let summary = "the guarantees of level graph";
  let description = [{
    Checks that every function is a program of one block, forward only, its inputs
    and outputs have different names and every shape is static, and marks the module `llm.level = "graph"`. Test: test/passes/graph/verify-graph.mlir.

    ```mlir
    module { func.func @train_64 ... }  // becomes
    module attributes {llm.level = "graph"} { func.func @train_64 ... }
    ```
  }];
}
