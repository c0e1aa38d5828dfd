//===- LlmProbeOps.td - Statistics of activations and gradients -----------===//
//
// What `--probe` puts into a program (docs/probes.md). Each probe leaves numbers
// from which the host gets those of all tokens in float64; padding is the host's
// to leave out.
//
//===----------------------------------------------------------------------===//
#ifndef LLM_PROBE_OPS_TD
#define LLM_PROBE_OPS_TD

include "dialects/llm/LlmOpBase.td"

def Llm_ProbeOp : Llm_Op<"probe", [Pure, RowwiseLowering]> {
  let summary = "per row: mean, sum of squared deviations from it, max |x|, number of |x| <= threshold";
  let description = [{
    Deviations are from the row's own mean, in a second pass over the row, so that
    nothing cancels; rows combine as Chan, Golub and LeVeque (1979) do. Sums are
    f32 over one row.

    ```mlir
    %s = llm.probe %x threshold 1.0e-02 : tensor<8x64xf32> -> tensor<8x4xf32>
    ```
  }];
  let arguments = (ins Llm_Matrix:$x, F64Attr:$threshold);
  let results = (outs Llm_Matrix:$result);
  let builders = [OpBuilder<(ins "::mlir::Value":$x, "double":$threshold)>];
  let assemblyFormat = "$x `threshold` $threshold attr-dict `:` type($x) `->` type($result)";
  let hasVerifier = 1;
}

def Llm_JoinProbeOp : Llm_Op<"join_probe", [Pure, RowwiseLowering]> {
  let summary = "llm.probe of whole rows from those of their parts";
  let description = [{
    `parts` is an all-gather of `llm.probe`s of equal parts of the rows, `columns`
    elements each: `[P * T, 4]`, the parts one below the other.

    ```mlir
    %s = llm.join_probe %g columns 32 : tensor<16x4xf32> -> tensor<8x4xf32>
    ```
  }];
  let arguments = (ins Llm_Matrix:$parts, I64Attr:$columns);
  let results = (outs Llm_Matrix:$result);
  let assemblyFormat = "$parts `columns` $columns attr-dict `:` type($parts) `->` type($result)";
  let hasVerifier = 1;
}

def Llm_ProbeWeightOp : Llm_Op<"probe_weight", [Pure, RowwiseLowering]> {
  let summary = "of a weight W and its gradient G: sum of G^2, of W^2, of |W G|";
  let description = [{
    Squared Frobenius norms of both, and the sensitivity of the loss to the
    weight, to first order (|W G|: AdaLoRA, arXiv 2303.10512; GoRA, arXiv
    2502.12171).

    ```mlir
    %s = llm.probe_weight %g, %w : tensor<32x64xf32>, tensor<32x64xbf16>
    ```
  }];
  let arguments = (ins Llm_Matrix:$gradient, Llm_Matrix:$weight);
  let results = (outs Llm_Vector:$result);
  let builders = [OpBuilder<(ins "::mlir::Value":$gradient, "::mlir::Value":$weight)>];
  let assemblyFormat = "$gradient `,` $weight attr-dict `:` type($gradient) `,` type($weight) `->` type($result)";
  let hasVerifier = 1;
}

def Llm_WatchOp : Llm_GraphOp<"watch", [AllTypesMatch<["y", "result"]>]> {
  let summary = "y, of which the gradient is looked at";
  let description = [{
    y is what the linear layer `module` gives for x with its weight.
    `autodiff-differentiate` takes the op away and leaves two outputs of the
    program, "<module>:output_gradient", `llm.probe` of dy with threshold 0, and
    "<module>:weight_gradient", `llm.probe_weight` of dy^T x. The gradient reaches
    down to the op though no parameter lies below.

    ```mlir
    %z = llm.watch "model.layers.0.self_attn.q_proj" %y of %x, %w
           : tensor<8x32xf32>, tensor<8x64xf32>, tensor<32x64xf32>
    ```
  }];
  let arguments = (ins StrAttr:$module, Llm_Matrix:$y, Llm_Matrix:$x, Llm_Matrix:$weight);
  let results = (outs Llm_Matrix:$result);
  let assemblyFormat = "$module $y `of` $x `,` $weight attr-dict `:` type($y) `,` type($x) `,` type($weight)";
  let hasVerifier = 1;
}

#endif // LLM_PROBE_OPS_TD
