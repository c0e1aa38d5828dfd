//===- Passes.td - Where tensors live -------------------------------------===//
include "mlir/Pass/PassBase.td"

def Partition : Pass<"shard-partition", "mlir::ModuleOp"> {
  let summary = "split a program over a grid of devices";
  let description = [{
    Requires: level train. Ensures: a `shard.grid @grid` names the devices, every
    shape is local and every collective explicit. The grid has one device for now:
    local shapes are the global ones and nothing is exchanged; a larger grid is an
    error. Test: test/passes/shard/partition.mlir.

    ```mlir
    module { func.func @train_8 ... }
    // becomes
    module { shard.grid @grid(shape = 1x1)  func.func @train_8 ... }
    ```
  }];
  let options = [
    Option<"dp", "dp", "int64_t", "1", "devices along the data-parallel axis">,
    Option<"tp", "tp", "int64_t", "1", "devices along the tensor-parallel axis">];
  let dependentDialects = ["mlir::shard::ShardDialect"];
}

def VerifySharded : Pass<"shard-verify", "mlir::ModuleOp"> {
  let summary = "the guarantees of level sharded";
  let description = [{
    Checks that the grid is there and that no `shard.shard` annotation is left
    unpartitioned; on a grid of one device, that no collective remains. Marks the
    module `llm.level = "sharded"`. Test: test/passes/shard/verify-sharded.mlir.

    ```mlir
    module attributes {llm.level = "train"}  // becomes
    module attributes {llm.level = "sharded"}
    ```
  }];
}
