//===- LoadWeights.h - From a checkpoint to the device ---------*- C++ -*-===//
#pragma once

#include "runtime/executor/Session.h"
#include "runtime/io/HfCheckpoint.h"

namespace llamarun {

/// Writes every tensor whose Init is Checkpoint from the Hugging Face
/// directory, by its name there, converted to the buffer's dtype. Bytes go from
/// the mapped file to the device, or through a small buffer if their dtype
/// differs: there is never a second copy of the model. In a plan with tied
/// embeddings `lm_head.weight` is the file's `model.embed_tokens.weight`.
/// \throws Error(BadInput) naming file, tensor and shapes.
void loadWeights(Session &session, const HfCheckpoint &checkpoint);

} // namespace llamarun
