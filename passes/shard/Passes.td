//===- Passes.td - Where tensors live -------------------------------------===//
include "mlir/Pass/PassBase.td"

def Annotate : Pass<"shard-annotate", "mlir::ModuleOp"> {
  let summary = "say which tensor lies how on a grid of devices";
  let description = [{
    Requires: level train. Ensures: a `shard.grid @grid` of shape dp x tp, and a
    `shard.shard` on each input that has a row for each token or sequence (axis dp
    splits the batch) and on each weight and parameter that the layout table
    (Layouts.h) splits along axis tp, but for those that have one already. A
    tensor that does not fall into equal parts is an error that names the sizes
    that work. Test: test/passes/shard/annotate.mlir.

    ```mlir
    %w = llm.weight "model.layers.0.self_attn.o_proj.weight" : tensor<64x64xf32>
    // becomes, with tp=2,
    %w = llm.weight "model.layers.0.self_attn.o_proj.weight" : tensor<64x64xf32>
    %columns = shard.sharding @grid split_axes = [[], [1]] : !shard.sharding
    %s = shard.shard %w to %columns : tensor<64x64xf32>
    ```
  }];
  let options = [
    Option<"dp", "dp", "int64_t", "1", "devices along the data-parallel axis">,
    Option<"tp", "tp", "int64_t", "1", "devices along the tensor-parallel axis">];
  let dependentDialects = ["mlir::shard::ShardDialect"];
}

def Partition : Pass<"shard-partition", "mlir::ModuleOp"> {
  let summary = "the program of one device: local shapes, explicit collectives";
  let description = [{
    Requires: annotations on inputs, weights and parameters. How every other value
    lies follows from the loops of the ops (docs/sharding.md), forward, backward and
    update alike. Sums over devices are taken where an op needs them: an op that is
    linear passes terms on, so the term of an adapter rides on the all-reduce of
    its layer, and gradients are reduced when they are stored. The vocabulary of
    embedding and loss is split, too. Ensures: shapes are local, every collective is
    a `shard` op, annotations are gone; a weight or parameter that is a part has
    `llm.whole_shape` and `llm.split_axes`. Test: test/passes/shard/partition.mlir.

    ```mlir
    %y = llm.linear %a, %w : (tensor<8x64xf32>, tensor<64x64xf32>) -> tensor<8x64xf32>
    %h = llm.add %x, %y : tensor<8x64xf32>
    // becomes, with %w split along its columns,
    %y = llm.linear %a, %w : (tensor<8x32xf32>, tensor<64x32xf32>) -> tensor<8x64xf32>
    %s = shard.all_reduce %y on @grid grid_axes = [1] : tensor<8x64xf32> -> tensor<8x64xf32>
    %h = llm.add %x, %s : tensor<8x64xf32>
    ```

    `sequence-parallel` splits tokens along tp where a layer does not need all of
    them: the residual, its sums and norms (Korthikanti et al. 2022). Each all-reduce
    becomes a reduce-scatter, and an all-gather before the next layer.

    ```mlir
    %s = shard.reduce_scatter %y on @grid grid_axes = [1] scatter_axis = 0 : tensor<8x64xf32> -> tensor<4x64xf32>
    %h = llm.add %x, %s : tensor<4x64xf32>
    %n = llm.rms_norm %h, %w eps 1.0e-05 : tensor<4x64xf32>, tensor<64xf32>
    %g = shard.all_gather %n on @grid grid_axes = [1] gather_axis = 0 : tensor<4x64xf32> -> tensor<8x64xf32>
    ```
  }];
  let options = [
    Option<"sequenceParallel", "sequence-parallel", "bool", "false",
           "split tokens along tp between the layers">];
  let dependentDialects = ["mlir::shard::ShardDialect"];
}

def BucketGradients : Pass<"shard-bucket-gradients", "mlir::ModuleOp"> {
  let summary = "all-reduce gradients in a few large pieces";
  let description = [{
    Requires: each reduced gradient is an all-reduce that is stored. Ensures: terms
    are stored, and as soon as about `bucket-bytes` of them are there one
    `llm.reduce_gradients` for each set of axes sums them, while the backward pass
    goes on. Buckets are filled in the order in which the backward pass computes
    gradients (Li et al. 2020, PyTorch Distributed, section 3.2.3).
    Test: test/passes/shard/bucket-gradients.mlir.

    ```mlir
    %s = shard.all_reduce %g on @grid grid_axes = [0] : tensor<8x64xf32> -> tensor<8x64xf32>
    llm.gradient "a", %s : tensor<8x64xf32>
    // becomes
    llm.gradient "a", %g : tensor<8x64xf32>
    llm.reduce_gradients ["a"] on @grid axes [0]
    ```
  }];
  let options = [
    Option<"bucketBytes", "bucket-bytes", "int64_t", "26214400", "size at which a bucket is reduced">];
  let dependentDialects = ["mlir::shard::ShardDialect"];
}

def VerifySharded : Pass<"shard-verify", "mlir::ModuleOp"> {
  let summary = "the guarantees of level sharded";
  let description = [{
    Checks that the grid is there, that no `shard.shard` annotation is left, and, by
    going through the program once more from the parts of weights and inputs, that
    every sum over devices is taken exactly once: no op gets terms of a sum that
    needs the sum, no all-reduce gets what is no term, no gradient is left unreduced
    or reduced twice. Programs for different numbers of tokens must have the same
    collectives along dp, since ranks may run different ones in the same step.
    Marks the module `llm.level = "sharded"`.
    Test: test/passes/shard/verify-sharded.mlir.

    ```mlir
    module attributes {llm.level = "train"}  // becomes
    module attributes {llm.level = "sharded"}
    ```
  }];
}

def Reshard : Pass<"shard-reshard", "mlir::ModuleOp"> {
  let summary = "the identity program from one layout to another, as a plan";
  let description = [{
    Requires: level train, unsharded: what is trained are `llm.parameter` ops.
    Ensures: a plan for one device that holds each part of each parameter, of its
    two moments and of the optimizer's state in both layouts (Layouts.h), and one
    program of copies between them. A tensor that is replicated is one part. The
    program's functions are gone. Test: test/passes/shard/reshard.mlir.

    ```mlir
    %b = llm.parameter "q_proj.lora_B.weight" init #llm.init<zero, 0.0> : tensor<4x2xf32>
    // becomes, from one device to tp2,
    plan.tensor "q_proj.lora_B.weight" role(parameter) in @source_parameters at 0 : tensor<4x2xf32> ... part(source, 0)
    plan.tensor "q_proj.lora_B.weight" role(parameter) in @target_parameters at 0 : tensor<2x2xf32> ... part(target, 0)
    plan.tensor "q_proj.lora_B.weight" role(parameter) in @target_parameters at 64 : tensor<2x2xf32> ... part(target, 1)
    plan.program @reshard ... {
      %0 = plan.buffer in @source_parameters at 0 : tensor<2x2xf32>
      %1 = plan.buffer in @target_parameters at 0 : tensor<2x2xf32>
      plan.copy %0 to %1 : tensor<2x2xf32>, tensor<2x2xf32>
      ...
    }
    ```
  }];
  let options = [
    Option<"sourceDp", "source-dp", "int64_t", "1", "devices along the data-parallel axis, before">,
    Option<"sourceTp", "source-tp", "int64_t", "1", "devices along the tensor-parallel axis, before">,
    Option<"targetDp", "target-dp", "int64_t", "1", "devices along the data-parallel axis, after">,
    Option<"targetTp", "target-tp", "int64_t", "1", "devices along the tensor-parallel axis, after">];
  let dependentDialects = ["plan::PlanDialect"];
}

def VerifyReshard : Pass<"shard-verify-reshard", "mlir::ModuleOp"> {
  let summary = "proof that a plan changes the layout and nothing else";
  let description = [{
    Requires: a plan whose only program is of kind reshard. Follows each copy element
    by element and fails unless every element of every target part is written exactly
    once, and with the same element of the same tensor, all that is read is inside a
    source part, and both layouts have all parts of the same tensors. Changes nothing.
    Test: test/passes/shard/verify-reshard.mlir.

    ```mlir
    plan.copy %rows_0_to_2 to %part_0 : tensor<2x2xf32>, tensor<2x2xf32>
    plan.copy %rows_0_to_2 to %part_1 : tensor<2x2xf32>, tensor<2x2xf32>
    // error: copies element [0, 0] of parameter 'w', source part 0 to element [2, 0] of parameter 'w', target part 1
    ```
  }];
}
