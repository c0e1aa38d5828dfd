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
