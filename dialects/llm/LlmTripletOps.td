//===- LlmTripletOps.td - AdaLoRA's triplets ------------------------------===//
//
// AdaLoRA (Zhang et al. 2023, arXiv 2303.10512) in PEFT's form: of module M the
// parameters "M.lora_A" [r, in], "M.lora_E" [r, 1] and "M.lora_B" [out, r]; a
// triplet is row i of A, E_i and column i of B. Ops with `modules` act on the
// triplets of all these modules, which have one r.
//
//===----------------------------------------------------------------------===//
#ifndef LLM_TRIPLET_OPS_TD
#define LLM_TRIPLET_OPS_TD

include "dialects/llm/LlmOpBase.td"

//===----------------------------------------------------------------------===//
// Levels graph to sharded
//===----------------------------------------------------------------------===//

def Llm_ScaleRowsOp : Llm_GraphOp<"scale_rows", [RowwiseLowering, AllTypesMatch<["x", "result"]>]> {
  let summary = "diag(scale) x: AdaLoRA's E and A as one factor";
  let description = [{
    In the backward pass the gradient of the product is what `llm.gradient` stores
    for x, and scale gets none: `llm.triplet_gradients` makes those of both from it,
    of all modules at once and after micro-batches and devices are summed, which
    the product's gradient can be and theirs need not be.

    ```mlir
    %ea = llm.scale_rows %a, %e : tensor<4x64xf32>, tensor<4x1xf32>
    ```
  }];
  let arguments = (ins Llm_Matrix:$x, Llm_Matrix:$scale);
  let results = (outs Llm_Matrix:$result);
  let assemblyFormat = "$x `,` $scale attr-dict `:` type($x) `,` type($scale)";
  let hasVerifier = 1;
}

def Llm_OrthogonalityOp : Llm_Op<"orthogonality", [MemoryEffects<[MemRead]>]> {
  let summary = "weight * mean over all A and B of |G - I|_F";
  let description = [{
    G = A A^T or B^T B; the norm is not squared (PEFT tuners/adalora/model.py).

    ```mlir
    %penalty = llm.orthogonality ["model.layers.0.self_attn.q_proj"] weight 5.0e-01 : tensor<1xf32>
    ```
  }];
  let arguments = (ins StrArrayAttr:$modules, F64Attr:$weight);
  let results = (outs Llm_Scalar:$penalty);
  let assemblyFormat = "$modules `weight` $weight attr-dict `:` type($penalty)";
  let hasVerifier = 1;
}

def Llm_TripletGradientsOp : Llm_Op<"triplet_gradients", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "the gradients of A, E and B, with the regulariser's";
  let description = [{
    With P = dL/d(E A), which A's slot of the gradients holds (`llm.scale_rows`):
    dE_i = sum_c P_ic A_ic, dA = E P + w (G_A - I) A / |G_A - I|_F, dB += w B (G_B -
    I) / |G_B - I|_F, with w = weight / number of modules; nothing of the regulariser
    where the norm is 0. All are overwritten in the flat gradients. The result is that
    of `llm.orthogonality`.

    ```mlir
    %penalty = llm.triplet_gradients ["model.layers.0.self_attn.q_proj"] weight 5.0e-01 : tensor<1xf32>
    ```
  }];
  let arguments = (ins StrArrayAttr:$modules, F64Attr:$weight);
  let results = (outs Llm_Scalar:$penalty);
  let assemblyFormat = "$modules `weight` $weight attr-dict `:` type($penalty)";
  let hasVerifier = 1;
}

def Llm_AllocateRanksOp : Llm_Op<"allocate_ranks", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "AdaLoRA's importance, scores and masks after an optimizer step";
  let description = [{
    `allocation` is {mode, k}: 0 updates the averages of importance with the clipped
    gradients and fresh parameters of the optimizer step before, 1 does so and masks,
    2 masks, 3 applies the masks there are. Masking keeps the triplets whose score is
    above the k-th smallest of all (all, if k is 0); E of the others is set to zero
    (PEFT tuners/adalora/layer.py, RankAllocator). The result says of each module's
    triplets whether they are kept: 1 or 0.

    ```mlir
    %kept = llm.allocate_ranks ["model.layers.0.self_attn.q_proj"] beta1 8.5e-01 beta2 8.5e-01 %allocation : tensor<2xi64> -> tensor<1x4xf32>
    ```
  }];
  let arguments = (ins StrArrayAttr:$modules, F64Attr:$beta1, F64Attr:$beta2,
                       TensorRankOf<[I64], [1]>:$allocation);
  let results = (outs TensorRankOf<[F32], [2]>:$kept);
  let assemblyFormat = "$modules `beta1` $beta1 `beta2` $beta2 $allocation attr-dict `:` type($allocation) `->` type($kept)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Level fused: one launch each, over all M modules
//===----------------------------------------------------------------------===//
//
// `table` has a row of kTripletFields i64 for each module
// (dialects/llm/TripletTable.h): where its parameters lie in the flat buffers, and
// their sizes.

class Llm_TripletOp<string mnemonic> : Llm_Op<mnemonic, [Pure]> {
  let hasVerifier = 1;
}
def Llm_FlatTensor : TensorRankOf<[F32], [2]>;
def Llm_TripletTable : TensorRankOf<[I64], [2]>;

def Llm_TripletGramsOp : Llm_TripletOp<"triplet_grams"> {
  let summary = "row j: A_j A_j^T and sum_c P_ic A_ic; row M + j: B_j^T B_j";
  let description = [{
    Times the weight of the matrix. `gradients` has P in the slots of A; without it
    the sums are 0. A row of the result has r*r + r elements.

    ```mlir
    %g = llm.triplet_grams %params, %table gradients(%grads) : (tensor<2x1024xf32>, tensor<1x10xi64>, tensor<2x1024xf32>) -> tensor<2x20xf32>
    ```
  }];
  let arguments = (ins Llm_FlatTensor:$params, Llm_TripletTable:$table, Optional<Llm_FlatTensor>:$gradients);
  let results = (outs Llm_FlatTensor:$result);
  let assemblyFormat = "$params `,` $table (`gradients` `(` $gradients^ `)`)? attr-dict `:` functional-type(operands, results)";
  let extraClassDeclaration = [{ int64_t getRank(); }];
}

def Llm_TripletFinishOp : Llm_TripletOp<"triplet_finish"> {
  let summary = "llm.triplet_gradients, from the Grams and the norms |G - I|_F";
  let description = [{
    `factor` is 2 * weight / number of matrices.

    ```mlir
    %new = llm.triplet_finish %grads, %params, %grams, %norms, %table factor 0.5 : (tensor<2x1024xf32>, tensor<2x1024xf32>, tensor<2x20xf32>, tensor<2xf32>, tensor<1x10xi64>) -> tensor<2x1024xf32>
    ```
  }];
  let arguments = (ins Llm_FlatTensor:$gradients, Llm_FlatTensor:$params, Llm_FlatTensor:$grams,
                       Llm_Vector:$norms, Llm_TripletTable:$table, F64Attr:$factor);
  let results = (outs Llm_FlatTensor:$result);
  let assemblyFormat = "operands `factor` $factor attr-dict `:` functional-type(operands, results)";
  let extraClassDeclaration = [{ int64_t getRank(); }];
}

def Llm_TripletScoresOp : Llm_TripletOp<"triplet_scores"> {
  let summary = "row j: mean over columns of s(A_j); M + j: over rows of s(B_j); 2M + j: s(E_j)";
  let description = [{
    s = sensitivity * uncertainty, times the weight of the matrix. Nothing is written
    for modes that ask for no scores (0 and 3).

    ```mlir
    %s = llm.triplet_scores %sensitivity, %uncertainty, %allocation, %table : (tensor<2x1024xf32>, tensor<2x1024xf32>, tensor<2xi64>, tensor<1x10xi64>) -> tensor<3x4xf32>
    ```
  }];
  let arguments = (ins Llm_FlatTensor:$sensitivity, Llm_FlatTensor:$uncertainty,
                       TensorRankOf<[I64], [1]>:$allocation, Llm_TripletTable:$table);
  let results = (outs Llm_FlatTensor:$result);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
  let extraClassDeclaration = [{ int64_t getRank(); }];
}

def Llm_TripletMaskOp : Llm_TripletOp<"triplet_mask"> {
  let summary = "keeps the triplets of the highest scores; E of the others is zero";
  let description = [{
    `kept` and `scores` are f32 [M, r]. In modes 1 and 2 a triplet is kept, 1.0, if its
    score is above the k-th smallest (or k is 0), else 0.0; in modes 1, 2 and 3 E is
    multiplied by what is kept. Results take the place of `params` and `kept`.

    ```mlir
    %p, %k = llm.triplet_mask %params, %kept, %scores, %allocation, %table : (tensor<2x1024xf32>, tensor<1x4xf32>, tensor<1x4xf32>, tensor<2xi64>, tensor<1x10xi64>) -> (tensor<2x1024xf32>, tensor<1x4xf32>)
    ```
  }];
  let arguments = (ins Llm_FlatTensor:$params, Llm_FlatTensor:$kept, Llm_FlatTensor:$scores,
                       TensorRankOf<[I64], [1]>:$allocation, Llm_TripletTable:$table);
  let results = (outs Llm_FlatTensor:$newParams, Llm_FlatTensor:$newKept);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}

#endif // LLM_TRIPLET_OPS_TD
