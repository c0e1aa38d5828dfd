//===- LlmFusedOps.td - One op, one launch --------------------------------===//
#ifndef LLM_FUSED_OPS_TD
#define LLM_FUSED_OPS_TD

include "dialects/llm/LlmOpBase.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Llm_RowwiseOp : Llm_Op<"rowwise", [Pure, IsolatedFromAbove, SingleBlock]> {
  let summary = "for every row: a scalar body and reductions over the row's columns";
  let description = [{
    The one description of a non-GEMM kernel; two generators read it (CPU loops,
    GPU blocks). For row r and column c the body computes scalars. Argument i is
    the element of input i at `input_maps[i](r, c)`; a map with symbol s0 is
    indirect: s0 is the element, at this row, of integer input `index_inputs[i]`
    (-1: none); a negative index reads element 0 and the body must discard it.
    `llm.row_reduce` combines a value over all columns of the row. Yielded value j
    goes to result `yield_results[j]` at `yield_maps[j](r, c)`; a map without c
    takes a value that is the same in all columns. Between them the yields write
    every element of every result.

    Inputs may alias results element by element (optimizer updates in place), so
    a body without reductions reads (r, c) before it writes (r, c).

    ```mlir
    %n = llm.rowwise rows(8) cols(64) ins(%x, %w : tensor<8x64xf32>, tensor<64xf32>)
           maps [affine_map<(r, c) -> (r, c)>, affine_map<(r, c) -> (c)>] indexed_by [-1, -1]
           outs [0] at [affine_map<(r, c) -> (r, c)>] -> (tensor<8x64xf32>) {
    ^bb0(%a: f32, %b: f32):
      %n = arith.constant 64.0 : f32
      %sq = arith.mulf %a, %a : f32
      %sum = llm.row_reduce add %sq : f32
      %mean = arith.divf %sum, %n : f32
      %r = math.rsqrt %mean : f32
      %ar = arith.mulf %a, %r : f32
      %y = arith.mulf %ar, %b : f32
      llm.yield %y : f32
    }
    ```
  }];
  let arguments = (ins I64Attr:$rows, I64Attr:$cols, Variadic<AnyRankedTensor>:$inputs,
                       AffineMapArrayAttr:$input_maps, DenseI64ArrayAttr:$index_inputs,
                       DenseI64ArrayAttr:$yield_results, AffineMapArrayAttr:$yield_maps);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    `rows` `(` $rows `)` `cols` `(` $cols `)` `ins` `(` ($inputs^ `:` type($inputs))? `)`
    `maps` $input_maps `indexed_by` $index_inputs `outs` $yield_results `at` $yield_maps
    `->` `(` type($results) `)` $body attr-dict
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::Block &getBlock() { return getBody().front(); }
    ::llm::YieldOp getYield();
    ::mlir::AffineMap inputMap(unsigned i);
    ::mlir::AffineMap yieldMap(unsigned j);
    /// True if the value is the same in every column of a row.
    bool isRowUniform(::mlir::Value bodyValue);
  }];
}

def Llm_RowReduceOp : Llm_Op<"row_reduce", [Pure, HasParent<"::llm::RowwiseOp">, SameOperandsAndResultType]> {
  let summary = "combines a value over all columns of the row";
  let arguments = (ins Llm_ReduceKind:$kind, AnyFloat:$value);
  let results = (outs AnyFloat:$result);
  let assemblyFormat = "$kind $value attr-dict `:` type($value)";
}

def Llm_RowIndexOp : Llm_Op<"row_index", [Pure, HasParent<"::llm::RowwiseOp">]> {
  let summary = "number of the row";
  let results = (outs I64:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
}

def Llm_ColumnIndexOp : Llm_Op<"column_index", [Pure, HasParent<"::llm::RowwiseOp">]> {
  let summary = "number of the column";
  let results = (outs I64:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
}

def Llm_ConstantOp : Llm_Op<"constant", [Pure]> {
  let summary = "a tensor carried in the plan";
  let arguments = (ins ElementsAttr:$value);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$value attr-dict `:` type($result)";
  let hasVerifier = 1;
  let builders = [OpBuilder<(ins "::mlir::ElementsAttr":$value), [{
    build($_builder, $_state, value.getType(), value); }]>];
}

//===----------------------------------------------------------------------===//
// Parts and stacks of matrices
//===----------------------------------------------------------------------===//

def Llm_PanelOp : Llm_Op<"panel", [Pure]> {
  let summary = "a rectangle of a matrix";
  let description = [{
    Costs nothing: a product or kernel reads it where it lies.

    ```mlir
    %t = llm.panel %x at [0, 64] : tensor<8x72xf32> -> tensor<8x8xf32>
    ```
  }];
  let arguments = (ins Llm_Matrix:$x, I64Attr:$row, I64Attr:$column);
  let results = (outs Llm_Matrix:$result);
  let assemblyFormat = "$x `at` `[` $row `,` $column `]` attr-dict `:` type($x) `->` type($result)";
  let hasVerifier = 1;
}

def Llm_ConcatOp : Llm_Op<"concat", [Pure]> {
  let summary = "matrices side by side: their columns one after another";
  let description = [{
    Costs nothing where the parts can be computed in place, a copy where not.

    ```mlir
    %xt = llm.concat %x, %t : (tensor<8x64xf32>, tensor<8x8xf32>) -> tensor<8x72xf32>
    ```
  }];
  let arguments = (ins Variadic<Llm_Matrix>:$parts);
  let results = (outs Llm_Matrix:$result);
  let assemblyFormat = "$parts attr-dict `:` functional-type($parts, $result)";
  let hasVerifier = 1;
}

def Llm_FoldedWeightOp : Llm_Op<"folded_weight", [Pure]> {
  let summary = "weights that share an input, stacked, their adapters folded in";
  let description = [{
    One persistent matrix `[[W, sB], [A, 0]]`: row blocks W_j of `rows[j]` rows and K
    columns, as named in the checkpoint, one below the other; below them the factors
    A_j of `ranks[j]` rows, beside W_j the factor B_j times `scales[j]`, in the
    columns that have A_j's rows as numbers. All else is 0. `ranks[j]` is 0 where
    layer j has no adapter. With `e`, row i of A_j is multiplied by element i of
    parameter e[j], unless that is "". `pad` rows and columns, at least the sum of the ranks,
    are added to W. `llm.fold_factors` writes the factors; see
    `fuse-fold-adapters`.

    ```mlir
    %f = llm.folded_weight ["q_proj.weight", "k_proj.weight"] rows [64, 32]
        a ["q_proj.lora_A.weight", ""] b ["q_proj.lora_B.weight", ""] ranks [4, 0] scales [2.0, 0.0] pad 8
        : tensor<104x72xf32>
    ```
  }];
  let arguments = (ins StrArrayAttr:$weights, DenseI64ArrayAttr:$rows, StrArrayAttr:$a, StrArrayAttr:$b,
                       DenseI64ArrayAttr:$ranks, DenseF64ArrayAttr:$scales, I64Attr:$pad,
                       OptionalAttr<StrArrayAttr>:$e);
  let results = (outs Llm_Matrix:$result);
  let assemblyFormat = [{
    $weights `rows` $rows `a` $a (`e` $e^)? `b` $b `ranks` $ranks `scales` $scales `pad` $pad attr-dict `:` type($result)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Columns of the weights, less the padding.
    int64_t getK();
    /// Rows of the weights, less the padding.
    int64_t getN();
    /// First row of weight j.
    int64_t rowOf(unsigned j);
    /// Number of A_j's first row below the weights, and of B_j's column.
    int64_t rankOf(unsigned j);
  }];
}

def Llm_FoldFactorsOp : Llm_Op<"fold_factors", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "writes the adapter factors as they are now into all folded weights";
  let description = [{
    Rounded to the folded weights' type; B times its scale. Whatever wrote the
    parameters last, the optimizer, an initialization or a loaded adapter, the
    products that follow use its values.

    ```mlir
    llm.fold_factors
    ```
  }];
  let assemblyFormat = "attr-dict";
}

def Llm_FoldIntoOp : Llm_Op<"fold_into", [Pure]> {
  let summary = "what the kernel of llm.fold_factors computes";
  let description = [{
    `params` is the flat parameter buffer, `segments` one row a factor, ascending in
    the first column: its first element in `params`, its number of elements and of
    columns, in the result its first element and the elements from row to row, the
    scale as the bits of a float, and the first of the parameters that scale its rows,
    one each, or -1. Element e of a factor goes to
    `first + e / columns * pitch + e % columns`; the rest of the result stays.

    ```mlir
    %w = llm.fold_into %params, %segments : (tensor<2x1024xf32>, tensor<4x7xi64>) -> tensor<8192xbf16>
    ```
  }];
  let arguments = (ins TensorRankOf<[F32], [2]>:$params, TensorRankOf<[I64], [2]>:$segments);
  let results = (outs TensorRankOf<[F32, BF16], [1]>:$result);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}

def Llm_Flat : I32EnumAttr<"Flat", "a flat persistent buffer", [
    I32EnumAttrCase<"Parameters", 0, "parameters">,
    I32EnumAttrCase<"Gradients", 1, "gradients">,
    I32EnumAttrCase<"FirstMoments", 2, "first_moments">,
    I32EnumAttrCase<"SecondMoments", 3, "second_moments">,
    I32EnumAttrCase<"Step", 4, "step">,
    I32EnumAttrCase<"Beta1Power", 5, "beta1_power">,
    I32EnumAttrCase<"Beta2Power", 6, "beta2_power">,
    I32EnumAttrCase<"Sensitivity", 7, "sensitivity">,
    I32EnumAttrCase<"Uncertainty", 8, "uncertainty">,
    I32EnumAttrCase<"Kept", 9, "kept">]> {
  let cppNamespace = "::llm";
}

def Llm_FlatLoadOp : Llm_Op<"flat_load", [MemoryEffects<[MemRead]>]> {
  let summary = "a flat persistent buffer as it is at this point of the program";
  let arguments = (ins Llm_Flat:$flat);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$flat attr-dict `:` type($result)";
}

def Llm_FlatStoreOp : Llm_Op<"flat_store", [MemoryEffects<[MemWrite]>]> {
  let summary = "overwrites a flat persistent buffer";
  let arguments = (ins Llm_Flat:$flat, AnyRankedTensor:$value);
  let assemblyFormat = "$flat `,` $value attr-dict `:` type($value)";
}

def Llm_FlatClearOp : Llm_Op<"flat_clear", [MemoryEffects<[MemWrite]>]> {
  let summary = "sets a flat persistent buffer to zero";
  let arguments = (ins Llm_Flat:$flat, TypeAttr:$type);
  let assemblyFormat = "$flat attr-dict `:` $type";
}

#endif // LLM_FUSED_OPS_TD
