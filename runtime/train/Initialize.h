//===- Initialize.h - First values of trainable tensors --------*- C++ -*-===//
#pragma once

#include "runtime/executor/Session.h"
#include "runtime/train/Ranks.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace llamarun {

/// Elements [first, first + out.size()) of a tensor drawn as Uniform (U(-a,
/// a)), Normal (N(0, a)) or Value (a). `first` counts the elements of the
/// global tensor in row-major order: slices of any layout get the same numbers,
/// which are CounterRandom(seed, name).uniform(i) or .normal(i). \throws
/// Error(BadInput) for the kinds that are not drawn.
void drawInitial(fb::InitKind kind, double a, std::uint64_t seed,
                 std::string_view name, std::uint64_t first,
                 std::span<double> out);

/// Gives every tensor of a fresh Session whose Init is Uniform, Normal or Value
/// its first value, converted to its buffer's dtype (rounded to nearest even).
/// Zero and Data are the Session's own work, Checkpoint that of loadWeights().
void initializeTensors(Session &session, std::uint64_t seed,
                       const Ranks &ranks = {});

} // namespace llamarun
