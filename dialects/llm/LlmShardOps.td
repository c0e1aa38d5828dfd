//===- LlmShardOps.td - What a part of a tensor needs ---------------------===//
//
// Ops that shard-partition puts in place of those that count rows or columns of
// a whole tensor, of which a device holds a part. `place` is the input
// grid_index: this device's index along each axis of the grid.
//
//===----------------------------------------------------------------------===//
#ifndef LLM_SHARD_OPS_TD
#define LLM_SHARD_OPS_TD

include "dialects/llm/LlmOpBase.td"

def Llm_LocalIdsOp : Llm_Op<"local_ids", [Pure, RowwiseLowering, AllTypesMatch<["ids", "result"]>]> {
  let summary = "ids counted from this device's part: id - place[axis] * size, or -1";
  let description = [{
    Result is in `[0, size)`, or -1 for an id that another device holds and for
    negative ids (unlabelled rows).

    ```mlir
    %l = llm.local_ids %ids, %place axis 1 size 64 : tensor<8xi32>, tensor<2xi32>
    ```
  }];
  let arguments = (ins Llm_Ints:$ids, Llm_Ints:$place, I64Attr:$axis, I64Attr:$size);
  let results = (outs Llm_Ints:$result);
  let builders = [OpBuilder<(ins "::mlir::Value":$ids, "::mlir::Value":$place, "int64_t":$axis, "int64_t":$size), [{
    build($_builder, $_state, ids.getType(), ids, place, axis, size); }]>];
  let assemblyFormat = "$ids `,` $place `axis` $axis `size` $size attr-dict `:` type($ids) `,` type($place)";
  let hasVerifier = 1;
}

def Llm_FirstRowOp : Llm_Op<"first_row", [Pure, RowwiseLowering]> {
  let summary = "number of the first row of this device's part: place[axis] * rows";
  let description = [{
    An op of its own, so that the kernels that count from there do not know how
    many rows a part has: token buckets share them.

    ```mlir
    %f = llm.first_row %place axis 1 rows 64 : tensor<2xi32> -> tensor<1xi64>
    ```
  }];
  let arguments = (ins Llm_Ints:$place, I64Attr:$axis, I64Attr:$rows);
  let results = (outs Llm_Ints:$result);
  let builders = [OpBuilder<(ins "::mlir::Value":$place, "int64_t":$axis, "int64_t":$rows)>];
  let assemblyFormat = "$place `axis` $axis `rows` $rows attr-dict `:` type($place) `->` type($result)";
  let hasVerifier = 1;
}

def Llm_LocalRowsOp : Llm_Op<"local_rows", [Pure, RowwiseLowering]> {
  let summary = "this device's rows of what every device has: result[i] = x[first + i]";
  let description = [{
    `first` is an `llm.first_row` for as many rows as the result has.

    ```mlir
    %p = llm.local_rows %pool, %first : (tensor<8xi32>, tensor<1xi64>) -> tensor<4xi32>
    %h = llm.local_rows %x, %first : (tensor<8x64xf32>, tensor<1xi64>) -> tensor<4x64xf32>
    ```
  }];
  let arguments = (ins AnyTypeOf<[Llm_Ints, Llm_Matrix]>:$x, Llm_Ints:$first);
  let results = (outs AnyTypeOf<[Llm_Ints, Llm_Matrix]>:$result);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Llm_SoftmaxStatsOp : Llm_Op<"softmax_stats", [Pure, RowwiseLowering]> {
  let summary = "per row of a part of the logits: maximum, sum of exp(z - maximum), logit of the label";
  let description = [{
    The label's logit is 0 where `local_labels` is -1. Column-wise parts of a row
    combine by `llm.join_softmax_stats` (Milakov, Gimelshein 2018).

    ```mlir
    %s = llm.softmax_stats %z, %local : tensor<8x64xf32>, tensor<8xi32>
    ```
  }];
  let arguments = (ins Llm_Matrix:$logits, Llm_Ints:$local_labels);
  let results = (outs Llm_Matrix:$result);
  let builders = [OpBuilder<(ins "::mlir::Value":$logits, "::mlir::Value":$labels)>];
  let assemblyFormat = "$logits `,` $local_labels attr-dict `:` type($logits) `,` type($local_labels) `->` type($result)";
  let hasVerifier = 1;
}

def Llm_JoinSoftmaxStatsOp : Llm_Op<"join_softmax_stats", [Pure, RowwiseLowering]> {
  let summary = "statistics of whole rows from those of their parts: log-sum-exp, logit of the label";
  let description = [{
    `parts` is an all-gather of `llm.softmax_stats`: `[P * T, 3]`, the parts one
    below the other.

    ```mlir
    %s = llm.join_softmax_stats %g : tensor<16x3xf32> -> tensor<8x2xf32>
    ```
  }];
  let arguments = (ins Llm_Matrix:$parts);
  let results = (outs Llm_Matrix:$result);
  let assemblyFormat = "$parts attr-dict `:` type($parts) `->` type($result)";
  let hasVerifier = 1;
}

def Llm_CrossEntropyPartsOp : Llm_Op<"cross_entropy_parts", [Pure, RowwiseLowering]> {
  let summary = "cross_entropy from the statistics of whole rows";
  let description = [{
    `scale * sum(log-sum-exp - logit of the label)` over labelled rows.

    ```mlir
    %loss = llm.cross_entropy_parts %s, %labels, %scale : tensor<8x2xf32>, tensor<8xi32>, tensor<1xf32> -> tensor<1xf32>
    ```
  }];
  let arguments = (ins Llm_Matrix:$stats, Llm_Ints:$labels, Llm_Scalar:$scale);
  let results = (outs Llm_Scalar:$loss);
  let builders = [OpBuilder<(ins "::mlir::Value":$stats, "::mlir::Value":$labels, "::mlir::Value":$scale), [{
    build($_builder, $_state, scale.getType(), stats, labels, scale); }]>];
  let assemblyFormat = "$stats `,` $labels `,` $scale attr-dict `:` type($stats) `,` type($labels) `,` type($scale) `->` type($loss)";
}

def Llm_CrossEntropyPartsGradOp : Llm_Op<"cross_entropy_parts_grad", [Pure, RowwiseLowering, AllTypesMatch<["logits", "result"]>]> {
  let summary = "cross_entropy_grad for a part of the logits, from the statistics of whole rows";
  let description = [{
    `dloss * scale * (exp(z - log-sum-exp) - onehot(local label))` where `labels`
    has a label, else 0.
  }];
  let arguments = (ins Llm_Matrix:$logits, Llm_Matrix:$stats, Llm_Ints:$labels, Llm_Ints:$local_labels,
                       Llm_Scalar:$scale, Llm_Scalar:$dloss);
  let results = (outs Llm_Matrix:$result);
  let assemblyFormat = [{
    operands attr-dict `:` type($logits) `,` type($stats) `,` type($labels) `,` type($local_labels)
    `,` type($scale) `,` type($dloss)
  }];
}

def Llm_JoinColumnsOp : Llm_Op<"join_columns", [Pure, RowwiseLowering]> {
  let summary = "parts that lie one below the other, side by side";
  let description = [{
    What an all-gather along rows makes of parts of columns: part p is rows
    `p*R .. p*R + R` of x and columns `p*W .. p*W + W` of the result.

    ```mlir
    %y = llm.join_columns %x : tensor<16x32xf32> -> tensor<8x64xf32>
    ```
  }];
  let arguments = (ins Llm_Matrix:$x);
  let results = (outs Llm_Matrix:$result);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($result)";
  let hasVerifier = 1;
}

def Llm_ReduceGradientsOp : Llm_Op<"reduce_gradients", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "all-reduce of stored gradients, together";
  let description = [{
    Each device has stored one term of these gradients (`llm.gradient`); their
    slots, which lie one behind the other, receive the sum over `axes`.

    ```mlir
    llm.reduce_gradients ["score.weight"] on @grid axes [0]
    ```
  }];
  let arguments = (ins StrArrayAttr:$parameters, FlatSymbolRefAttr:$grid, DenseI64ArrayAttr:$axes);
  let assemblyFormat = "$parameters `on` $grid `axes` $axes attr-dict";
}

#endif // LLM_SHARD_OPS_TD
