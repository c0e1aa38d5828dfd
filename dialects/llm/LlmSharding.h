//===- LlmSharding.h - How llm ops may be split over a grid ----*- C++ -*-===//
#pragma once

namespace mlir {
class MLIRContext;
} // namespace mlir

namespace llm {

/// Gives every op of the levels graph and train upstream's ShardingInterface
/// (docs/sharding.md has the loops of each). The ops must be registered.
/// llm.layers is unrolled before anything is sharded, and llm.rowwise and the
/// flat buffers come after: they have no loops to split.
void attachShardingInterface(mlir::MLIRContext &context);

} // namespace llm
