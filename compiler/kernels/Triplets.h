//===- Triplets.h - Launches of AdaLoRA's kernels ---------------*- C++ -*-===//
#pragma once

#include "compiler/kernels/LibraryKernels.h"

namespace llamac {

/// Launches of the kernels of Triplet*.cu for `modules` modules of one rank;
/// none where the rank is above 128 or there are more than 21845 modules.
std::optional<LibraryLaunch> tripletGramsLaunch(int64_t modules, int64_t rank,
                                                bool withGradients);
/// \param factor 2 * weight of the regulariser / number of matrices.
std::optional<LibraryLaunch> tripletFinishLaunch(int64_t modules, int64_t rank,
                                                 double factor);
std::optional<LibraryLaunch> tripletScoresLaunch(int64_t modules, int64_t rank);
std::optional<LibraryLaunch> tripletMaskLaunch(int64_t modules, int64_t rank);

} // namespace llamac
