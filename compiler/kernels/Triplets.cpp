#include "compiler/kernels/Triplets.h"

#include "compiler/kernels/TripletsPlace.h"

#include <bit>

namespace llamac {
namespace {

constexpr int64_t kMaxGrid = 65535;

bool suits(int64_t modules, int64_t rank) {
  return modules > 0 && 3 * modules <= kMaxGrid && rank > 0 &&
         rank <= kernels::kTripletMaxRank;
}

} // namespace

using enum LibraryBuffer;

std::optional<LibraryLaunch> tripletGramsLaunch(int64_t modules, int64_t rank,
                                                bool withGradients) {
  if (!suits(modules, rank))
    return std::nullopt;
  auto tiles = uint32_t(kernels::tripletPadded(rank) / kernels::kTripletTile);
  std::vector<LibraryBuffer> reads{Params, TripletTable};
  if (withGradients)
    reads.push_back(Gradients);
  return LibraryLaunch{
      "triplet_grams",
      withGradients ? "triplet_grams" : "triplet_grams_only",
      {kernels::kTripletCluster * tiles * tiles, uint32_t(2 * modules), 1},
      {256, 1, 1},
      0,
      std::move(reads),
      {Grams},
      {modules, rank}};
}

std::optional<LibraryLaunch> tripletFinishLaunch(int64_t modules, int64_t rank,
                                                 double factor) {
  if (!suits(modules, rank))
    return std::nullopt;
  return LibraryLaunch{
      "triplet_finish",
      "triplet_finish",
      {kernels::kTripletChunks, uint32_t(2 * modules), 1},
      {256, 1, 1},
      uint32_t(rank * kernels::tripletPadded(rank) * int64_t(sizeof(float))),
      {Gradients, Params, Grams, Norms, TripletTable},
      {NewGradients},
      {modules, rank, int64_t(std::bit_cast<uint32_t>(float(factor)))}};
}

std::optional<LibraryLaunch> tripletScoresLaunch(int64_t modules,
                                                 int64_t rank) {
  if (!suits(modules, rank))
    return std::nullopt;
  return LibraryLaunch{"triplet_scores",
                       "triplet_scores",
                       {uint32_t(rank), uint32_t(3 * modules), 1},
                       {512, 1, 1},
                       0,
                       {Sensitivity, Uncertainty, Allocation, TripletTable},
                       {Scores},
                       {modules, rank}};
}

std::optional<LibraryLaunch> tripletMaskLaunch(int64_t modules, int64_t rank) {
  if (!suits(modules, rank))
    return std::nullopt;
  return LibraryLaunch{"triplet_scores",
                       "triplet_mask",
                       {1, 1, 1},
                       {1024, 1, 1},
                       0,
                       {Params, Kept, Scores, Allocation, TripletTable},
                       {NewParams, NewKept},
                       {modules, rank}};
}

} // namespace llamac
