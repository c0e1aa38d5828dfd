//===- ModelText.h - model.mlir, written for people -------------*- C++ -*-===//
#pragma once

#include "compiler/frontend/HfConfig.h"

namespace llamac {

/// The text of a graph-level module (docs/architecture.md) for `config`:
///   @hidden  ids i32 [T], positions i32 [T], cu_seqlens i32 [B+1]
///            -> final normed hidden states [T, hidden]
///   @logits  hidden states [T, hidden] -> next-token logits [T, vocab]
/// The decoder block is written once, in llm.layers. The element type is that
/// of the checkpoint; float16 becomes f32, which holds every float16 exactly.
/// `withLogits` false leaves @logits out (a classification checkpoint has no
/// lm_head). `name` may have only letters, digits, '.', '_' and '-'.
std::string writeModelText(const HfConfig &config, llvm::StringRef name,
                           bool withLogits);

} // namespace llamac
