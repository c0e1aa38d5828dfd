#include "runtime/device/cpu/CpuGraph.h"

#include <algorithm>

namespace llamarun {

// An operation further back than this counts as a conflict: keeps capture
// linear in the length of the program.
static constexpr std::size_t kWindow = 256;

CpuGraph::CpuGraph(std::vector<std::unique_ptr<CpuWork>> captured)
    : works(std::move(captured)) {
  std::vector<std::size_t> levels(works.size());
  std::size_t floor = 0; // first level after everything before the window
  for (std::size_t i = 0; i < works.size(); ++i) {
    if (i > kWindow)
      floor = std::max(floor, levels[i - kWindow - 1] + 1);
    std::size_t level = floor;
    for (std::size_t j = i > kWindow ? i - kWindow : 0; j < i; ++j)
      if (levels[j] >= level && works[i]->conflicts(*works[j]))
        level = levels[j] + 1;
    levels[i] = level;
    if (waves.size() <= level)
      waves.resize(level + 1);
    waves[level].works.push_back(works[i].get());
  }
  for (auto &wave : waves) {
    std::stable_sort(wave.works.begin(), wave.works.end(),
                     [](auto *x, auto *y) { return x->cost > y->cost; });
    wave.onHost = wave.works.front()->onHost;
    std::uint32_t end = 0;
    for (auto *work : wave.works)
      wave.ends.push_back(end += work->chunks);
  }
}

void CpuGraph::runChunk(void *context, std::uint32_t chunk) {
  auto &wave = *static_cast<const Wave *>(context);
  auto i = static_cast<std::size_t>(
      std::upper_bound(wave.ends.begin(), wave.ends.end(), chunk) -
      wave.ends.begin());
  wave.works[i]->run(i == 0 ? chunk : chunk - wave.ends[i - 1]);
}

void CpuGraph::run(ThreadPool &pool) const {
  pool.hold();
  for (auto &wave : waves) {
    // It may wait for another process on this machine, which wants the cores.
    bool onlyHost = wave.onHost && wave.works.size() == 1;
    if (onlyHost)
      pool.release();
    pool.run(wave.ends.back(), runChunk, const_cast<Wave *>(&wave));
    if (!wave.onHost)
      continue;
    try {
      wave.works.front()->check();
    } catch (...) {
      pool.release();
      throw;
    }
    if (onlyHost)
      pool.hold();
  }
  pool.release();
}

} // namespace llamarun
