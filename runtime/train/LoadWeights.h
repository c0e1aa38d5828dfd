//===- LoadWeights.h - Frozen weights onto the device ----------*- C++ -*-===//
#pragma once

#include "runtime/executor/Session.h"
#include "runtime/io/HfCheckpoint.h"
#include "runtime/train/Ranks.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace llamarun {

/// Writes every tensor whose Init is Checkpoint from the Hugging Face
/// directory, by its name there, converted to the buffer's dtype; of a split
/// one only this rank's slice, rows or columns, straight from the file. Threads
/// copy (or convert) from the mapped files into a ring of staging buffers while
/// the device fetches from it: there is never a second copy of the model, nor
/// of another rank's part. In a plan with tied embeddings `lm_head.weight` is
/// the file's `model.embed_tokens.weight`.
/// \param threads 0 = one per hardware thread.
/// \throws Error(BadInput) naming file, tensor and shapes.
void loadWeights(Session &session, const HfCheckpoint &checkpoint,
                 unsigned threads = 0, const Ranks &ranks = {});

/// The same tensors without a file, for benchmarks: vectors (the norms) are
/// one, all else is normal with standard deviation 0.02, as Transformers
/// initializes. Element i of the whole tensor is a function of (seed, name, i)
/// alone: every layout has the same model.
void drawWeights(Session &session, std::uint64_t seed, unsigned threads = 0,
                 const Ranks &ranks = {});

/// Elements [first, first + out.size()) of such a matrix: 0.02 times the
/// normal quantile at (u + 1/2) / 2^16, u being the i % 4-th 16 bits of
/// CounterRandom(seed, name).bits(i / 4). \p T is float, or std::uint16_t for
/// the bits of bf16.
template <typename T>
void drawMatrix(std::uint64_t seed, std::string_view name, std::uint64_t first,
                std::span<T> out);

} // namespace llamarun
