//===- Passes.td - One op, one launch -------------------------------------===//
include "mlir/Pass/PassBase.td"

def LowerLinear : Pass<"fuse-lower-linear", "mlir::ModuleOp"> {
  let summary = "linear layers become matrix products";
  let description = [{
    Requires: level sharded. Ensures: no `llm.linear`.
    Test: test/passes/fuse/lower-linear.mlir.

    ```mlir
    %y = llm.linear %x, %w : ...                 // becomes
    %y = llm.matmul %x, %w transpose_b : ...
    ```
  }];
}

def FoldAdapters : Pass<"fuse-fold-adapters", "mlir::ModuleOp"> {
  let summary = "adapters become rows and columns of the weights they adapt";
  let description = [{
    Requires: no `llm.linear`; sums not yet fused into products. Ensures: layers
    of one input (q, k, v; gate, up) are one `llm.folded_weight` with their LoRA
    factors in it, one product forward and one for the gradient of their input;
    `llm.fold_factors` begins every program that has adapters. With dropout in the
    adapter's path that path keeps a product of its own in the backward pass.
    Requires in turn that nothing erases unused `llm.parameter` ops: the factors
    are now read by name. Test: test/passes/fuse/fold-adapters.mlir.

    ```mlir
    %y = llm.matmul %x, %w transpose_b : ...
    %t = llm.matmul %x, %a transpose_b : ...
    %u = llm.matmul %t, %b transpose_b alpha 2.0 : ...
    %s = llm.add %y, %u : ...
    // becomes
    %f = llm.folded_weight ["w"] rows [32] a ["a"] b ["b"] ranks [4] scales [2.0] pad 8 : tensor<40x72xf32>
    %a = llm.panel %f at [32, 0] : ...
    %t = llm.matmul %x, %a transpose_b : ...
    %xt = llm.concat %x, %t : ...
    %wb = llm.panel %f at [0, 0] : ...
    %s = llm.matmul %xt, %wb transpose_b : ...
    ```
  }];
  let dependentDialects = ["llm::LlmDialect"];
}

def LowerGathers : Pass<"fuse-lower-gathers", "mlir::ModuleOp"> {
  let summary = "gather columns as rows, then put them side by side";
  let description = [{
    Requires: level sharded. Ensures: every `shard.all_gather` is along dimension 0,
    as communication libraries do it. Test: test/passes/fuse/lower-gathers.mlir.

    ```mlir
    %y = shard.all_gather %x on @grid grid_axes = [1] gather_axis = 1 : tensor<8x32xf32> -> tensor<8x64xf32>
    // becomes
    %g = shard.all_gather %x on @grid grid_axes = [1] gather_axis = 0 : tensor<8x32xf32> -> tensor<16x32xf32>
    %y = llm.join_columns %g : tensor<16x32xf32> -> tensor<8x64xf32>
    ```
  }];
  let dependentDialects = ["mlir::shard::ShardDialect", "::llm::LlmDialect"];
}

def FuseMatmulAdd : Pass<"fuse-matmul-add", "mlir::ModuleOp"> {
  let summary = "a sum with a matrix product becomes accumulation into the other addend";
  let description = [{
    Requires: no `llm.linear`. Ensures: where the other addend has no further use
    and is itself computed, the product adds to it in place: adapter products on
    their base product, gradients that meet at a fan-out, micro-batches on the
    pending gradient. Test: test/passes/fuse/fuse-matmul-add.mlir.

    ```mlir
    %u = llm.matmul %t, %b transpose_b alpha 2.0 : ...
    %s = llm.add %y, %u : ...
    // becomes
    %s = llm.matmul %t, %b accumulate(%y) transpose_b alpha 2.0 : ...
    ```
  }];
}

def ShareSoftmax : Pass<"fuse-share-softmax", "mlir::ModuleOp"> {
  let summary = "a loss over many columns keeps each row's log-sum-exp for its gradient";
  let description = [{
    Requires: no `llm.linear`. Ensures: where a `llm.cross_entropy` over at least
    `columns` columns and its gradient read the same logits, maximum and sum of each
    row are computed once, and the gradient is one pass over the logits instead of
    two. Test: test/passes/fuse/share-softmax.mlir.

    ```mlir
    %loss = llm.cross_entropy %z, %labels, %scale : ...
    %dz = llm.cross_entropy_grad %z, %labels, %scale, %one : ...
    // becomes
    %parts = llm.softmax_stats %z, %labels : ...
    %stats = llm.join_softmax_stats %parts : ...
    %loss = llm.cross_entropy_parts %stats, %labels, %scale : ...
    %dz = llm.cross_entropy_parts_grad %z, %stats, %labels, %labels, %scale, %one : ...
    ```
  }];
  let options = [Option<"columns", "columns", "int64_t", /*default=*/"8192",
                        "with fewer, reading a row twice costs less than one launch more">];
  let dependentDialects = ["llm::LlmDialect"];
}

def LowerToRowwise : Pass<"fuse-lower-to-rowwise", "mlir::ModuleOp"> {
  let summary = "every op that is rows, columns and row reductions becomes llm.rowwise";
  let description = [{
    Requires: static shapes. Ensures: no op of RowwiseOpInterface.
    Test: test/passes/fuse/lower-to-rowwise.mlir.

    ```mlir
    %s = llm.add %a, %b : tensor<8x64xf32>
    // becomes
    %s = llm.rowwise rows(8) cols(64) ins(%a, %b : ...) maps [#rc, #rc] ... {
    ^bb0(%x: f32, %y: f32):
      %z = arith.addf %x, %y : f32
      llm.yield %z : f32
    }
    ```
  }];
  let dependentDialects = ["llm::LlmDialect", "mlir::arith::ArithDialect", "mlir::math::MathDialect"];
}

def LowerOptimizer : Pass<"fuse-lower-optimizer", "mlir::ModuleOp"> {
  let summary = "optimizer_step becomes four kernels over the flat buffers";
  let description = [{
    Requires: level sharded. Ensures: no `llm.optimizer_step`: the squared norm in
    two kernels, a scalar kernel for clipping, schedule and bias corrections (in
    float64), and one AdamW kernel over all parameters at once. Formulas: torch
    clip_grad_norm_, torch.optim.AdamW, transformers get_linear_schedule_with_warmup.
    If the norm is not finite, parameters, moments and state stay as they were.
    Where `llm.allocate_ranks` follows, the AdamW kernel moves AdaLoRA's averages of
    importance, too; of a step that is skipped nothing is allocated.
    Test: test/passes/fuse/lower-optimizer.mlir.

    ```mlir
    %norm, %lr = llm.optimizer_step ["p"] %hyper : ...
    // becomes
    %g = llm.flat_load gradients : tensor<Rx1024xf32>
    %parts = llm.rowwise ... %norm = llm.rowwise ... %schedule:5 = llm.rowwise ...
    %new:3 = llm.rowwise rows(R) cols(1024) ins(%p, %g, %m, %v, %schedule#0, ...) ...
    llm.flat_store parameters, %new#0 : ...
    ```
  }];
  let dependentDialects = ["llm::LlmDialect", "mlir::arith::ArithDialect", "mlir::math::MathDialect"];
}

def LowerTriplets : Pass<"fuse-lower-triplets", "mlir::ModuleOp"> {
  let summary = "AdaLoRA's regulariser, scores and masks as kernels over all modules";
  let description = [{
    Requires: `fuse-lower-optimizer` has run. Ensures: no `llm.orthogonality`,
    `llm.triplet_gradients` or `llm.allocate_ranks`. Gram matrices and dE of all
    modules are one launch, norms and their mean two small ones, gradients, scores
    and masks one each. Where tp devices share factors, Grams and scores are summed
    over axis tp, in two collectives; what every device has whole counts 1/tp on
    each. Test: test/passes/fuse/lower-triplets.mlir.

    ```mlir
    %penalty = llm.triplet_gradients ["q_proj"] weight 0.5 : tensor<1xf32>
    // becomes
    %g = llm.triplet_grams %params, %table gradients(%grads) : ...
    %norms = llm.rowwise ... %penalty = llm.rowwise ...
    %new = llm.triplet_finish %grads, %params, %g, %norms, %table factor 0.5 : ...
    llm.flat_store gradients, %new : ...
    ```
  }];
  let dependentDialects = ["llm::LlmDialect", "mlir::arith::ArithDialect", "mlir::math::MathDialect"];
}

def FuseRowwise : Pass<"fuse-rowwise", "mlir::ModuleOp"> {
  let summary = "merge a rowwise op into the one that reads it element by element";
  let description = [{
    Requires: level fused ops. Ensures: where two `llm.rowwise` of the same rows and
    columns meet in a value that one writes and the other reads at the same (r, c),
    they are one op, where the second stood; the value is still a result if others
    read it. Not where something between the two reads the first, nor where the
    first reads storage that programs overwrite.
    Test: test/passes/fuse/fuse-rowwise.mlir.

    ```mlir
    %h = llm.rowwise ... { addf }          // residual
    %n = llm.rowwise ... ins(%h, ...) { rms_norm }
    // becomes
    %h, %n = llm.rowwise ... { addf, rms_norm }
    ```
  }];
}

def VerifyFused : Pass<"fuse-verify", "mlir::ModuleOp"> {
  let summary = "the guarantees of level fused";
  let description = [{
    Checks that every op of a program is a launch (`llm.matmul`, `llm.rowwise`,
    `llm.attention`, `llm.attention_grad`) or storage, and marks the module
    `llm.level = "fused"`. Test: test/passes/fuse/verify-fused.mlir.

    ```mlir
    module attributes {llm.level = "sharded"}  // becomes
    module attributes {llm.level = "fused"}
    ```
  }];
}
