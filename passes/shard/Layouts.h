//===- Layouts.h - Which dimension of a tensor which axis splits -*- C++
//-*-===//
//
// Layouts as data. The grid has the axes dp and tp; persistent tensors
// (weights, parameters, and with a parameter its gradient and moments) are
// known by name. Source: Megatron-LM's column and row split (Shoeybi et al.
// 2019, section 3); adapters follow the layer they belong to, so that the small
// dimension (the rank) is never split.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "dialects/llm/LlmDialect.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>

namespace llamac {

/// Axes of every grid, in this order; rank = dp index * tp size + tp index.
enum GridAxis : int64_t { kDataAxis = 0, kTensorAxis = 1 };

/// The dimension of the persistent tensor `name` that the tp axis splits, in
/// equal parts, part i on tp index i; nothing if it is whole on every rank:
/// norms, the classification head, names that the table does not know. dp
/// splits nothing that is persistent.
///
///   module                                 weight  bias  lora_A  lora_B lora_E
///   embed_tokens, lm_head                     0      0      -       0       -
///   q_proj, k_proj, v_proj, gate_/up_proj     0      0      -       0       -
///   linear (a layer by itself)                0      0      -       0       -
///   o_proj, down_proj                         1      -      1       -       -
///   anything else                             -      -      -       -       -
std::optional<unsigned> splitDimension(llvm::StringRef name);

/// The shape of `name` on one rank. Requires checkSplit().
mlir::RankedTensorType localType(llvm::StringRef name,
                                 mlir::RankedTensorType global, int64_t tp);

/// Fails with an error at `loc` that names the tensor, what is counted (heads,
/// kv heads, vocabulary rows, ...) and the sizes of tp that work for the whole
/// model, if `tp` ranks cannot take equal parts of the tensor. Heads are never
/// cut. With an empty `model` the dimension's size alone counts.
mlir::LogicalResult checkSplit(mlir::Location loc, llvm::StringRef name,
                               mlir::RankedTensorType global,
                               llm::ModelAttr model, int64_t tp);

/// Sizes of the tp axis that every tensor of the model allows, ascending.
llvm::SmallVector<int64_t> tensorParallelSizes(llm::ModelAttr model);

} // namespace llamac
