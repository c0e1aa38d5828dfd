//===- Passes.td - Trainable factors beside frozen weights ----------------===//
include "mlir/Pass/PassBase.td"

def AttachLora : Pass<"adapters-attach-lora", "mlir::ModuleOp"> {
  let summary = "linear(x, W) becomes linear(x, W) + s * linear(linear(x, A), B)";
  let description = [{
    Requires: level graph. Ensures: every linear layer that `targets` selects
    (PEFT's rules: list entries match the module path or its end, `regex:...`
    matches it all, `all-linear` takes everything but the head) carries the
    factors A `[r, in]`, U(-1/sqrt(in), 1/sqrt(in)), and B `[out, r]`, zero, with
    s = alpha/r (alpha/sqrt(r) with use-rslora); `llm.adapter` on the module names
    the modules. Training programs drop elements of x for A with probability
    `dropout`. Fails if nothing matches. Source: PEFT tuners/lora/layer.py.
    Test: test/passes/adapters/attach-lora.mlir.

    ```mlir
    %y = llm.linear %x, %w : ...
    // becomes
    %y0 = llm.linear %x, %w : ...
    %a = llm.parameter "...q_proj.lora_A.weight" init <uniform, 0.5> : tensor<2x4xf32>
    %t = llm.linear %x, %a : ...
    %b = llm.parameter "...q_proj.lora_B.weight" init <zero, 0.0> : tensor<8x2xf32>
    %u = llm.linear %t, %b alpha 2.0 : ...
    %y = llm.add %y0, %u : ...
    ```
  }];
  let options = [
    Option<"rank", "r", "int64_t", "8", "rank of the factors">,
    Option<"alpha", "alpha", "double", "8.0", "numerator of the scale">,
    Option<"dropout", "dropout", "double", "0.0", "probability of dropping an element of the adapter's input">,
    Option<"useRslora", "use-rslora", "bool", "false", "scale by 1/sqrt(r) instead of 1/r">,
    ListOption<"targets", "targets", "std::string", "modules to adapt: names, all-linear, or one regex:...">,
    ListOption<"rankPattern", "rank-pattern", "std::string", "key=rank for modules of another rank">,
    ListOption<"alphaPattern", "alpha-pattern", "std::string", "key=alpha for modules of another alpha">];
  let dependentDialects = ["llm::LlmDialect"];
}

def AttachAdalora : Pass<"adapters-attach-adalora", "mlir::ModuleOp"> {
  let summary = "linear(x, W) becomes linear(x, W) + s * linear(linear(x, E A), B)";
  let description = [{
    Requires: level graph. Ensures: every linear layer that `targets` selects (as
    for `adapters-attach-lora`) carries A `[r, in]` and B `[out, r]`, N(0, 0.02), and
    E `[r, 1]`, zero, with r = init-r and s = alpha / (r + 1e-5), which stays as it is
    when ranks fall; `llm.adapter` on the module has the budget's numbers. Fails if
    nothing matches, and where PEFT's config does. Source: PEFT tuners/adalora.
    Test: test/passes/adapters/attach-adalora.mlir.

    ```mlir
    %y = llm.linear %x, %w : ...
    // becomes
    %y0 = llm.linear %x, %w : ...
    %a = llm.parameter "...q_proj.lora_A" init <normal, 0.02> : tensor<2x4xf32>
    %e = llm.parameter "...q_proj.lora_E" init <zero, 0.0> : tensor<2x1xf32>
    %ea = llm.scale_rows %a, %e : ...
    %t = llm.linear %x, %ea : ...
    %b = llm.parameter "...q_proj.lora_B" init <normal, 0.02> : tensor<8x2xf32>
    %u = llm.linear %t, %b alpha 3.99998 : ...
    %y = llm.add %y0, %u : ...
    ```
  }];
  let options = [
    Option<"initR", "init-r", "int64_t", "12", "rank at the beginning">,
    Option<"targetR", "target-r", "int64_t", "8", "mean rank at the end">,
    Option<"alpha", "alpha", "double", "8.0", "numerator of the scale">,
    Option<"dropout", "dropout", "double", "0.0", "probability of dropping an element of the adapter's input">,
    Option<"tinit", "tinit", "int64_t", "0", "steps before ranks fall">,
    Option<"tfinal", "tfinal", "int64_t", "0", "last steps, with the final ranks">,
    Option<"deltaT", "delta-t", "int64_t", "1", "steps from one allocation to the next">,
    Option<"beta1", "beta1", "double", "0.85", "of the average of sensitivity">,
    Option<"beta2", "beta2", "double", "0.85", "of the average of uncertainty">,
    Option<"orthRegWeight", "orth-reg-weight", "double", "0.5", "weight of the orthogonal regulariser">,
    Option<"totalStep", "total-step", "int64_t", "0", "optimizer steps of the training; 0: as many as it has">,
    ListOption<"targets", "targets", "std::string", "modules to adapt: names, all-linear, or one regex:...">];
  let dependentDialects = ["llm::LlmDialect"];
}

def InsertProbes : Pass<"adapters-insert-probes", "mlir::ModuleOp"> {
  let summary = "statistics of what flows through the linear layers";
  let description = [{
    Requires: @model (`graph-attach-head`), before rows are left out
    (`graph-narrow-to-pooled`). Ensures: every linear layer whose whole path matches
    the regular expression `modules` has two more outputs of @model,
    "<module>:input" and "<module>:output", each an `llm.probe`, and an `llm.watch`,
    from which `autodiff-differentiate` makes those of gradients; @model has
    `llm.probes`, so that its programs are of kind probe. Fails if nothing matches,
    and where one weight is applied twice. Test:
    test/passes/adapters/insert-probes.mlir.

    ```mlir
    %y = llm.linear %x, %w : ...
    return %loss, %logits : ...
    // becomes
    %y = llm.linear %x, %w : ...
    %z = llm.watch "model.layers.0.self_attn.q_proj" %y of %x, %w : ...
    %i = llm.probe %x threshold 0.01 : tensor<?x4xf32> -> tensor<?x4xf32>
    %o = llm.probe %y threshold 0.01 : tensor<?x8xf32> -> tensor<?x4xf32>
    return %loss, %logits, %i, %o : ...
    ```
  }];
  let options = [
    Option<"modules", "modules", "std::string", "\"\"", "regular expression for the path of a module; empty: all linear layers">,
    Option<"threshold", "threshold", "double", "0.01", "activations that are no larger count as zero">];
  let dependentDialects = ["llm::LlmDialect"];
}

def PlaceAdapters : Pass<"adapters-place", "mlir::ModuleOp"> {
  let summary = "which layers get an adapter, of which rank, by a statistic of probes";
  let description = [{
    Requires: level graph; a file that `llamarun probe` wrote with this model. Ensures:
    `llm.placement` on the module, which `adapters-attach-lora` and
    `adapters-attach-adalora` follow: of the linear layers that `targets` selects
    those of the highest `statistic` get rank `r` (rule top), or each one a rank in
    proportion to it (rule proportional). The budget is a share of the parameters that
    adapters of rank r on all of them have or, above 1, a sum of ranks. The first of
    equals comes first: the same file gives the same ranks. Fails if the file does
    not have a layer or the statistic, and if the budget is too small for any adapter.
    Test: test/passes/adapters/place-adapters.mlir.

    ```mlir
    module {...}
    // becomes
    module attributes {llm.placement = #llm.placement<statistic = "weight_gradient.norm",
        rule = "top", unit = "parameters", rank = 2, budget = 26, spent = 20, whole = 52, modules = [
          #llm.placed<module = "q_proj", value = 3.0 : f64, per_rank = 10, rank = 2>,
          #llm.placed<module = "up_proj", value = 1.0 : f64, per_rank = 16, rank = 0>]>} {...}
    ```
  }];
  let options = [
    Option<"path", "file", "std::string", "\"\"", "probe.json">,
    Option<"statistic", "statistic", "std::string", "\"weight_gradient.norm\"", "part.name in the file">,
    Option<"rule", "rule", "std::string", "\"top\"", "top or proportional">,
    Option<"budget", "budget", "double", "0.5", "share of the parameters up to 1, or a sum of ranks">,
    Option<"rank", "r", "int64_t", "8", "rank of adapters without a placement">,
    Option<"maxRank", "max-r", "int64_t", "0", "largest rank of rule proportional; 0: twice r">,
    ListOption<"targets", "targets", "std::string", "modules to choose among: names, all-linear, or one regex:...">];
  let dependentDialects = ["llm::LlmDialect"];
}
