#include "compiler/kernels/FactorGradients.h"
#include "compiler/kernels/FactorGradientsPlace.h"

#include <bit>

namespace llamac {
namespace {

constexpr int64_t kMaxTokens = 1024; // longer sums want to be split
constexpr int64_t kMaxColumns = int64_t(1) << 24;

bool suits(const FactorProblem &p) {
  return p.n > 0 && p.n <= kMaxColumns && p.rank > 0 &&
         p.rank <= kernels::kFactorMaxRank &&
         (p.n | p.rank | p.ldy | p.lds) % 8 == 0 && p.ldd % 4 == 0 &&
         p.ldy >= p.n && p.lds >= p.rank &&
         p.ldd >= (p.transposed ? p.n : p.rank);
}

} // namespace

std::optional<LibraryLaunch>
factorGradientsLaunch(int64_t tokens, std::span<const FactorProblem> problems,
                      std::string_view arch, bool ptx) {
  if (tokens <= 0 || tokens > kMaxTokens || problems.empty() ||
      problems.size() > kernels::kFactorMaxProblems ||
      !libraryCode("factor_gradients", arch, ptx))
    return std::nullopt;
  int64_t tiles = 0;
  std::vector<int64_t> scalars{tokens};
  for (const FactorProblem &p : problems) {
    if (!suits(p))
      return std::nullopt;
    tiles += kernels::factorTiles(p.n);
    scalars.insert(scalars.end(),
                   {p.n, p.rank, p.ldy, p.lds, p.ldd, p.transposed,
                    int64_t(std::bit_cast<uint32_t>(p.alpha))});
  }
  return LibraryLaunch{"factor_gradients",
                       "factor_gradients_" + std::to_string(problems.size()),
                       {uint32_t(tiles), 1, 1},
                       {kernels::kFactorThreads, 1, 1},
                       uint32_t(kernels::factorSharedBytes(tokens)),
                       {},
                       {},
                       std::move(scalars)};
}

} // namespace llamac
