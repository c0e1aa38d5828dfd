//===- llama-opt - Every pass, mlir-opt style -----------------------------===//
#include "compiler/pipeline/Pipeline.h"

#include "mlir/Dialect/Shard/IR/ShardDialect.h"
#include "mlir/Dialect/Shard/Transforms/Passes.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  llamac::registerDialects(registry);
  registry.insert<mlir::shard::ShardDialect>();
  llamac::registerPasses();
  // Upstream's propagation, to see the sharding interface of our ops at work.
  // Its shard-partition would take the name of ours.
  mlir::shard::registerShardingPropagation();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "llamac pass driver\n", registry));
}
