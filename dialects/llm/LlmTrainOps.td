//===- LlmTrainOps.td - Loss, gradients, optimizer ------------------------===//
#ifndef LLM_TRAIN_OPS_TD
#define LLM_TRAIN_OPS_TD

include "dialects/llm/LlmOpBase.td"

class Llm_GradientOp<string mnemonic, list<Trait> traits = []>
    : Llm_Op<mnemonic, !listconcat([Pure], traits)>;

//===----------------------------------------------------------------------===//
// Losses: a sum over labelled rows, times `scale`
//===----------------------------------------------------------------------===//

def Llm_CrossEntropyOp : Llm_GraphOp<"cross_entropy", [RowwiseLowering]> {
  let summary = "scale * sum over rows of -log softmax(logits)[label]";
  let description = [{
    Rows whose label is -100 count nothing (transformers loss_utils.py).

    ```mlir
    %loss = llm.cross_entropy %z, %labels, %scale : tensor<2x2xf32>, tensor<2xi32>
    ```
  }];
  let arguments = (ins Llm_Matrix:$logits, Llm_Ints:$labels, Llm_Scalar:$scale);
  let results = (outs Llm_Scalar:$loss);
  let builders = [OpBuilder<(ins "::mlir::Value":$logits, "::mlir::Value":$labels, "::mlir::Value":$scale), [{
    build($_builder, $_state, scale.getType(), logits, labels, scale); }]>];
  let assemblyFormat = "$logits `,` $labels `,` $scale attr-dict `:` type($logits) `,` type($labels) `,` type($scale) `->` type($loss)";
  let hasVerifier = 1;
}

def Llm_CrossEntropyGradOp : Llm_GradientOp<"cross_entropy_grad", [RowwiseLowering, AllTypesMatch<["logits", "result"]>]> {
  let summary = "dloss * scale * (softmax(logits) - onehot(label)), 0 where unlabelled";
  let arguments = (ins Llm_Matrix:$logits, Llm_Ints:$labels, Llm_Scalar:$scale, Llm_Scalar:$dloss);
  let results = (outs Llm_Matrix:$result);
  let assemblyFormat = "$logits `,` $labels `,` $scale `,` $dloss attr-dict `:` type($logits) `,` type($labels) `,` type($scale) `,` type($dloss)";
  let hasVerifier = 1;
}

def Llm_MseOp : Llm_GraphOp<"mse", [RowwiseLowering]> {
  let summary = "scale * sum over rows of (prediction - label)^2; NaN label = none";
  let description = [{
    ```mlir
    %loss = llm.mse %z, %labels, %scale : tensor<2x1xf32>, tensor<2xf32>
    ```
  }];
  let arguments = (ins Llm_Matrix:$prediction, TensorRankOf<[F32], [1]>:$labels, Llm_Scalar:$scale);
  let results = (outs Llm_Scalar:$loss);
  let builders = [OpBuilder<(ins "::mlir::Value":$prediction, "::mlir::Value":$labels, "::mlir::Value":$scale), [{
    build($_builder, $_state, scale.getType(), prediction, labels, scale); }]>];
  let assemblyFormat = "$prediction `,` $labels `,` $scale attr-dict `:` type($prediction) `,` type($labels) `,` type($scale) `->` type($loss)";
  let hasVerifier = 1;
}

def Llm_MseGradOp : Llm_GradientOp<"mse_grad", [RowwiseLowering, AllTypesMatch<["prediction", "result"]>]> {
  let summary = "dloss * scale * 2 * (prediction - label), 0 where unlabelled";
  let arguments = (ins Llm_Matrix:$prediction, TensorRankOf<[F32], [1]>:$labels, Llm_Scalar:$scale, Llm_Scalar:$dloss);
  let results = (outs Llm_Matrix:$result);
  let assemblyFormat = "$prediction `,` $labels `,` $scale `,` $dloss attr-dict `:` type($prediction) `,` type($labels) `,` type($scale) `,` type($dloss)";
  let hasVerifier = 1;
}

def Llm_SumOp : Llm_GraphOp<"sum", [RowwiseLowering]> {
  let summary = "scale * sum over all elements";
  let description = [{
    The plainest loss there is: a layer's backward pass by itself, every element's
    gradient `scale`.

    ```mlir
    %loss = llm.sum %y, %scale : tensor<2x4xf32>, tensor<1xf32> -> tensor<1xf32>
    ```
  }];
  let arguments = (ins Llm_Matrix:$x, Llm_Scalar:$scale);
  let results = (outs Llm_Scalar:$loss);
  let assemblyFormat = "$x `,` $scale attr-dict `:` type($x) `,` type($scale) `->` type($loss)";
  let hasVerifier = 1;
}

def Llm_SumGradOp : Llm_GradientOp<"sum_grad", [RowwiseLowering, AllTypesMatch<["x", "result"]>]> {
  let summary = "dloss * scale for each element of x";
  let description = [{
    Of x its shape counts, and where its parts lie; nothing reads its elements.
  }];
  let arguments = (ins Llm_Matrix:$x, Llm_Scalar:$scale, Llm_Scalar:$dloss);
  let results = (outs Llm_Matrix:$result);
  let assemblyFormat = "$x `,` $scale `,` $dloss attr-dict `:` type($x) `,` type($scale) `,` type($dloss)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Gradients of graph ops
//===----------------------------------------------------------------------===//

def Llm_RmsNormGradOp : Llm_GradientOp<"rms_norm_grad", [RowwiseLowering, AllTypesMatch<["x", "dy", "result"]>]> {
  let summary = "gradient of rms_norm for x";
  let description = [{
    With r = rsqrt(mean(x^2)+eps) and g = w*dy: `r*g - x * r^3 * mean(g*x)`.
  }];
  let arguments = (ins Llm_Matrix:$x, Llm_Vector:$weight, Llm_Matrix:$dy, F64Attr:$eps);
  let results = (outs Llm_Matrix:$result);
  let assemblyFormat = "$x `,` $weight `,` $dy `eps` $eps attr-dict `:` type($x) `,` type($weight)";
  let hasVerifier = 1;
}

def Llm_SwigluGradOp : Llm_GradientOp<"swiglu_grad", [RowwiseLowering, AllTypesMatch<["gate", "up", "dy", "dgate", "dup"]>]> {
  let summary = "gradients of swiglu for gate and up";
  let description = [{
    With s = sigmoid(gate): `dgate = dy*up*s*(1 + gate*(1-s))`, `dup = dy*gate*s`.
  }];
  let arguments = (ins Llm_Matrix:$gate, Llm_Matrix:$up, Llm_Matrix:$dy);
  let results = (outs Llm_Matrix:$dgate, Llm_Matrix:$dup);
  let assemblyFormat = "$gate `,` $up `,` $dy attr-dict `:` type($gate)";
}

def Llm_AttentionGradOp : Llm_GradientOp<"attention_grad", [AllTypesMatch<["q", "out", "dout", "dq"]>, AllTypesMatch<["k", "v", "dk", "dv"]>]> {
  let summary = "gradients of attention for q, k and v";
  let description = [{
    P is recomputed from q, k and lse. Gradients of k and v sum over the query
    heads of their group. Rows past the last sequence are 0.
  }];
  let arguments = (ins Llm_Matrix:$q, Llm_Matrix:$k, Llm_Matrix:$v, Llm_Ints:$cu_seqlens,
                       Llm_Matrix:$out, Llm_Matrix:$lse, Llm_Matrix:$dout,
                       I64Attr:$heads, I64Attr:$kv_heads, F64Attr:$scale);
  let results = (outs Llm_Matrix:$dq, Llm_Matrix:$dk, Llm_Matrix:$dv);
  let assemblyFormat = [{
    operands `heads` `(` $heads `)` `kv_heads` `(` $kv_heads `)` `scale` $scale attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Llm_ScatterRowsOp : Llm_GradientOp<"scatter_rows", [RowwiseLowering]> {
  let summary = "gradient of gather_rows: result[t] = dy[inverse[t]], 0 where -1";
  let arguments = (ins Llm_Matrix:$dy, Llm_Ints:$inverse);
  let results = (outs Llm_Matrix:$result);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Matrix product: what linear and its gradients become; one GEMM launch
//===----------------------------------------------------------------------===//

def Llm_MatmulOp : Llm_Op<"matmul", [Pure]> {
  let summary = "alpha * op(a) op(b) (+ accumulate)";
  let description = [{
    `accumulate` is added to the product and its storage reused for the result.

    ```mlir
    %d = llm.matmul %dy, %w : (tensor<8x32xf32>, tensor<32x64xf32>) -> tensor<8x64xf32>
    %g = llm.matmul %dy, %x transpose_a alpha 2.0 : (tensor<8x32xf32>, tensor<8x64xf32>) -> tensor<32x64xf32>
    ```
  }];
  let arguments = (ins Llm_Matrix:$a, Llm_Matrix:$b, Optional<Llm_Matrix>:$accumulate,
                       UnitAttr:$transpose_a, UnitAttr:$transpose_b,
                       DefaultValuedAttr<F64Attr, "1.0">:$alpha);
  let results = (outs Llm_Matrix:$result);
  let assemblyFormat = [{
    $a `,` $b (`accumulate` `(` $accumulate^ `)`)? (`transpose_a` $transpose_a^)? (`transpose_b` $transpose_b^)?
    (`alpha` $alpha^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Rows, columns and inner dimension of the product.
    int64_t getM(); int64_t getN(); int64_t getK();
  }];
}

//===----------------------------------------------------------------------===//
// Gradient storage and the optimizer
//===----------------------------------------------------------------------===//

def Llm_GradientStoreOp : Llm_Op<"gradient", [MemoryEffects<[MemWrite]>]> {
  let summary = "this value is the gradient of the named parameter";
  let description = [{
    The parameter's slot of the flat gradient buffer receives the value.

    ```mlir
    llm.gradient "score.weight", %g : tensor<2x64xf32>
    ```
  }];
  let arguments = (ins StrAttr:$name, Llm_Matrix:$value);
  let assemblyFormat = "$name `,` $value attr-dict `:` type($value)";
}

def Llm_PendingGradientOp : Llm_Op<"pending_gradient", [MemoryEffects<[MemRead]>]> {
  let summary = "what earlier micro-batches added to the named parameter's gradient";
  let arguments = (ins StrAttr:$name);
  let results = (outs Llm_Matrix:$result);
  let assemblyFormat = "$name attr-dict `:` type($result)";
}

def Llm_OptimizerStepOp : Llm_Op<"optimizer_step", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "clip by global norm, linear warmup schedule, AdamW";
  let description = [{
    Reads the gradients of all `parameters`, and `hyper` (docs/plan.md): clips by
    `max_grad_norm/(norm + 1e-6)` (torch clip_grad_norm_), takes the learning rate
    of the linear schedule at the state `optimizer.step`, and updates parameters and
    moments as torch.optim.AdamW does, or, if the norm is not finite, leaves all of
    them and the state as they are. `clear_gradients` sets gradients to zero afterwards.

    ```mlir
    %norm, %lr = llm.optimizer_step ["score.weight"] %hyper : tensor<8xf64> -> tensor<1xf32>, tensor<1xf32>
    ```
  }];
  let arguments = (ins StrArrayAttr:$parameters, TensorRankOf<[F64], [1]>:$hyper, UnitAttr:$clear_gradients);
  let results = (outs Llm_Scalar:$grad_norm, Llm_Scalar:$learning_rate);
  let assemblyFormat = [{
    $parameters $hyper (`clear_gradients` $clear_gradients^)? attr-dict
    `:` type($hyper) `->` type($grad_norm) `,` type($learning_rate)
  }];
  let hasVerifier = 1;
}

#endif // LLM_TRAIN_OPS_TD
