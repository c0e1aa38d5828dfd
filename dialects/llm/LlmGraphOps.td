//===- LlmGraphOps.td - Forward ops of the model --------------------------===//
#ifndef LLM_GRAPH_OPS_TD
#define LLM_GRAPH_OPS_TD

include "dialects/llm/LlmOpBase.td"

//===----------------------------------------------------------------------===//
// Persistent tensors
//===----------------------------------------------------------------------===//

def Llm_WeightOp : Llm_Op<"weight", [Pure]> {
  let summary = "a frozen tensor of the checkpoint";
  let description = [{
    Inside `llm.layers` the text `{layer}` in the name stands for the layer's
    number.

    ```mlir
    %w = llm.weight "model.layers.0.self_attn.q_proj.weight" : tensor<64x64xf32>
    ```
  }];
  let arguments = (ins StrAttr:$name);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$name attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Llm_ParameterOp : Llm_Op<"parameter", [Pure]> {
  let summary = "a trainable tensor: adapter factor or task head";
  let description = [{
    ```mlir
    %a = llm.parameter "model.layers.0.self_attn.q_proj.lora_A.weight"
           init <uniform, 1.250000e-01> : tensor<8x64xf32>
    ```
  }];
  let arguments = (ins StrAttr:$name, Llm_Init:$init);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$name `init` $init attr-dict `:` type($result)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Structure
//===----------------------------------------------------------------------===//

def Llm_LayersOp : Llm_Op<"layers", [
    IsolatedFromAbove, SingleBlockImplicitTerminator<"::llm::YieldOp">]> {
  let summary = "one decoder block, repeated";
  let description = [{
    `$x` flows through `count` copies of the body; `$shared` is the same in each.
    Exists only in model files; `unroll-layers` expands it.

    ```mlir
    %h = llm.layers count(2) carry(%x) shared(%cos) : (tensor<?x64xf32>, tensor<?x8xf32>) {
    ^bb0(%a: tensor<?x64xf32>, %c: tensor<?x8xf32>):
      %w = llm.weight "model.layers.{layer}.input_layernorm.weight" : tensor<64xf32>
      %n = llm.rms_norm %a, %w eps 1.0e-05 : tensor<?x64xf32>, tensor<64xf32>
      llm.yield %n : tensor<?x64xf32>
    }
    ```
  }];
  let arguments = (ins I64Attr:$count, AnyRankedTensor:$x, Variadic<AnyRankedTensor>:$shared);
  let results = (outs AnyRankedTensor:$result);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasRegionVerifier = 1;
}

def Llm_YieldOp : Llm_Op<"yield", [Pure, Terminator, ReturnLike]> {
  let summary = "ends the region of llm.layers and llm.rowwise";
  let arguments = (ins Variadic<AnyType>:$values);
  let builders = [OpBuilder<(ins), [{ /* for the implicit terminator */ }]>];
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
}

//===----------------------------------------------------------------------===//
// The decoder
//===----------------------------------------------------------------------===//

def Llm_EmbeddingOp : Llm_GraphOp<"embedding", [RowwiseLowering]> {
  let summary = "rows of a table: result[t] = table[ids[t]]";
  let description = [{
    ```mlir
    %h = llm.embedding %ids, %table : (tensor<8xi32>, tensor<128x64xf32>) -> tensor<8x64xf32>
    ```
  }];
  let arguments = (ins Llm_Ints:$ids, Llm_Matrix:$table);
  let results = (outs Llm_Matrix:$result);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Llm_RopeTableOp : Llm_Op<"rope_table", [Pure, RowwiseLowering, AllTypesMatch<["cos", "sin"]>]> {
  let summary = "cosine and sine of every token's rotary angles";
  let description = [{
    Row t is cos and sin of `positions[t] * inv_freq[i]`, i < head_dim/2, with
    `inv_freq[i] = theta^(-2i/head_dim)` in float32, scaled by `scaling`
    (transformers modeling_rope_utils.py). `max_positions` bounds the positions.

    ```mlir
    %cos, %sin = llm.rope_table %pos theta 5.0e+05 max_positions 128 : tensor<8xi32> -> tensor<8x8xf32>
    ```
  }];
  let arguments = (ins Llm_Ints:$positions, F64Attr:$theta, I64Attr:$max_positions,
                       OptionalAttr<Llm_RopeScaling>:$scaling);
  let results = (outs Llm_Matrix:$cos, Llm_Matrix:$sin);
  let assemblyFormat = [{
    $positions `theta` $theta `max_positions` $max_positions (`scaling` $scaling^)? attr-dict
    `:` type($positions) `->` type($cos)
  }];
  let hasVerifier = 1;
}

def Llm_RmsNormOp : Llm_GraphOp<"rms_norm", [RowwiseLowering, Tokenwise, AllTypesMatch<["x", "result"]>]> {
  let summary = "x * rsqrt(mean(x^2) + eps) * weight, row by row";
  let description = [{
    ```mlir
    %n = llm.rms_norm %x, %w eps 1.0e-05 : tensor<8x64xf32>, tensor<64xf32>
    ```
  }];
  let arguments = (ins Llm_Matrix:$x, Llm_Vector:$weight, F64Attr:$eps);
  let results = (outs Llm_Matrix:$result);
  let assemblyFormat = "$x `,` $weight `eps` $eps attr-dict `:` type($x) `,` type($weight)";
  let hasVerifier = 1;
}

def Llm_LinearOp : Llm_GraphOp<"linear", [Tokenwise]> {
  let summary = "alpha * x W^T with W [out, in]";
  let description = [{
    ```mlir
    %q = llm.linear %x, %w : (tensor<8x64xf32>, tensor<32x64xf32>) -> tensor<8x32xf32>
    ```
  }];
  let arguments = (ins Llm_Matrix:$x, Llm_Matrix:$weight, DefaultValuedAttr<F64Attr, "1.0">:$alpha);
  let results = (outs Llm_Matrix:$result);
  let assemblyFormat = "$x `,` $weight (`alpha` $alpha^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Llm_RopeOp : Llm_GraphOp<"rope", [RowwiseLowering, AllTypesMatch<["x", "result"]>, AllTypesMatch<["cos", "sin"]>]> {
  let summary = "rotary embedding of every head, halves rotated (Hugging Face)";
  let description = [{
    x is `[T, heads * d]`, cos and sin `[T, d/2]`. With lo and hi the halves of a
    head: `lo' = lo*cos - hi*sin`, `hi' = hi*cos + lo*sin`. `inverse` rotates
    back, which is the gradient.

    ```mlir
    %r = llm.rope %q, %cos, %sin : tensor<8x64xf32>, tensor<8x8xf32>
    ```
  }];
  let arguments = (ins Llm_Matrix:$x, Llm_Matrix:$cos, Llm_Matrix:$sin, UnitAttr:$inverse);
  let results = (outs Llm_Matrix:$result);
  let assemblyFormat = [{
    $x `,` $cos `,` $sin (`inverse` $inverse^)? attr-dict `:` type($x) `,` type($cos)
  }];
  let hasVerifier = 1;
}

def Llm_AttentionOp : Llm_GraphOp<"attention"> {
  let summary = "causal attention within each packed sequence, grouped heads";
  let description = [{
    q is `[T, heads*d]`, k and v `[T, kv_heads*d]`; sequence s is rows
    `cu_seqlens[s] .. cu_seqlens[s+1]`. Softmax of `scale * q k^T` over earlier
    tokens of the same sequence. Rows past the last sequence are 0. `lse`
    `[T, heads]` is the log of each softmax's denominator.

    ```mlir
    %o, %lse = llm.attention %q, %k, %v, %cu heads(4) kv_heads(2) scale 2.5e-01
        : (tensor<8x64xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<3xi32>)
          -> (tensor<8x64xf32>, tensor<8x4xf32>)
    ```
  }];
  let arguments = (ins Llm_Matrix:$q, Llm_Matrix:$k, Llm_Matrix:$v, Llm_Ints:$cu_seqlens,
                       I64Attr:$heads, I64Attr:$kv_heads, F64Attr:$scale);
  let results = (outs Llm_Matrix:$result, Llm_Matrix:$lse);
  let assemblyFormat = [{
    $q `,` $k `,` $v `,` $cu_seqlens `heads` `(` $heads `)` `kv_heads` `(` $kv_heads `)` `scale` $scale
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Llm_SwigluOp : Llm_GraphOp<"swiglu", [RowwiseLowering, Tokenwise, SameOperandsAndResultType]> {
  let summary = "silu(gate) * up";
  let description = [{
    ```mlir
    %a = llm.swiglu %gate, %up : tensor<8x96xf32>
    ```
  }];
  let arguments = (ins Llm_Matrix:$gate, Llm_Matrix:$up);
  let results = (outs Llm_Matrix:$result);
  let assemblyFormat = "$gate `,` $up attr-dict `:` type($gate)";
}

def Llm_AddOp : Llm_GraphOp<"add", [RowwiseLowering, Tokenwise, SameOperandsAndResultType, Commutative]> {
  let summary = "elementwise sum";
  let description = [{
    ```mlir
    %s = llm.add %a, %b : tensor<8x64xf32>
    ```
  }];
  let arguments = (ins Llm_Tensor:$lhs, Llm_Tensor:$rhs);
  let results = (outs Llm_Tensor:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs)";
}

def Llm_CastOp : Llm_GraphOp<"cast", [RowwiseLowering, Tokenwise]> {
  let summary = "the same numbers in another floating-point type";
  let description = [{
    To bf16 rounds to nearest even. The gradient is cast back, unless it is of the
    operand's type already: gradients of weights are summed and kept in f32.

    ```mlir
    %a = llm.cast %master : tensor<8x64xf32> -> tensor<8x64xbf16>
    ```
  }];
  let arguments = (ins Llm_Matrix:$x);
  let results = (outs Llm_Matrix:$result);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($result)";
  let hasVerifier = 1;
}

def Llm_GatherRowsOp : Llm_GraphOp<"gather_rows", [RowwiseLowering]> {
  let summary = "rows of a matrix: result[i] = x[index[i]]";
  let description = [{
    `inverse` maps each row of x to the result row that reads it, or -1; it makes
    the gradient a gather too, so no two threads write one row.

    ```mlir
    %p = llm.gather_rows %h, %last, %pool : (tensor<8x64xf32>, tensor<2xi32>, tensor<8xi32>) -> tensor<2x64xf32>
    ```
  }];
  let arguments = (ins Llm_Matrix:$x, Llm_Ints:$index, Llm_Ints:$inverse);
  let results = (outs Llm_Matrix:$result);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Llm_DropoutOp : Llm_GraphOp<"dropout", [RowwiseLowering, AllTypesMatch<["x", "result"]>]> {
  let summary = "zeroes elements with probability p, scales the rest by 1/(1-p)";
  let description = [{
    The draw is a function of `random` (seed, micro-batch), `key` and the global
    element index alone (SplitMix64), so every layout draws the same mask and the
    gradient is the same op applied to the gradient. `part`: x is the columns that
    number `place[axis]` of `parts` devices holds (`place`: the input grid_index);
    with `rows`, the rows from number `place[axis]` on (`place`: llm.first_row).

    ```mlir
    %d = llm.dropout %x, %random key "layers.0.q_proj" p 1.0e-01 : tensor<8x64xf32>, tensor<2xi64>
    %e = llm.dropout %y, %random key "layers.0.o_proj" p 1.0e-01 part %place axis 1 of 2
           : tensor<8x32xf32>, tensor<2xi64>, tensor<2xi32>
    %f = llm.dropout %z, %random key "layers.0.k_proj" p 1.0e-01 part %first axis 0 of 1 rows
           : tensor<4x64xf32>, tensor<2xi64>, tensor<1xi64>
    ```
  }];
  let arguments = (ins Llm_Matrix:$x, Llm_Ints:$random, StrAttr:$key, F64Attr:$p,
                       Optional<Llm_Ints>:$place, DefaultValuedAttr<I64Attr, "0">:$axis,
                       DefaultValuedAttr<I64Attr, "1">:$parts, UnitAttr:$rows);
  let results = (outs Llm_Matrix:$result);
  let builders = [OpBuilder<(ins "::mlir::Type":$type, "::mlir::Value":$x, "::mlir::Value":$random,
                                 "::mlir::StringAttr":$key, "::mlir::FloatAttr":$p)>];
  let assemblyFormat = [{
    $x `,` $random `key` $key `p` $p (`part` $place^ `axis` $axis `of` $parts)? (`rows` $rows^)? attr-dict
    `:` type($x) `,` type($random) (`,` type($place)^)?
  }];
  let hasVerifier = 1;
}

#endif // LLM_GRAPH_OPS_TD
