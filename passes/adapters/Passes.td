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
