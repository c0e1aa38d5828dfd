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

/// The work that a chunk of the wave belongs to, and its number there.
std::pair<const CpuWork *, std::uint32_t> CpuGraph::find(const Wave &wave,
                                                         std::uint32_t chunk) {
  auto i = static_cast<std::size_t>(
      std::upper_bound(wave.ends.begin(), wave.ends.end(), chunk) -
      wave.ends.begin());
  return {wave.works[i], i == 0 ? chunk : chunk - wave.ends[i - 1]};
}

struct CpuGraph::Untraced {
  void run(ThreadPool &pool, const Wave &wave) {
    pool.run(
        wave.ends.back(),
        [](void *context, std::uint32_t chunk) {
          auto [work, part] = find(*static_cast<const Wave *>(context), chunk);
          work->run(part);
        },
        const_cast<Wave *>(&wave));
  }
};

struct CpuGraph::Traced {
  CpuTrace &trace;
  const Wave *wave = nullptr;

  void run(ThreadPool &pool, const Wave &next) {
    wave = &next;
    trace.beginWave();
    pool.run(
        next.ends.back(),
        [](void *context, std::uint32_t chunk) {
          auto &self = *static_cast<Traced *>(context);
          auto [work, part] = find(*self.wave, chunk);
          auto begin = traceClock();
          work->run(part);
          self.trace.chunk(ThreadPool::currentThread(), work->tag, begin,
                           traceClock());
        },
        this);
    trace.endWave();
  }
};

void CpuGraph::run(ThreadPool &pool) const { runWaves(pool, Untraced{}); }

void CpuGraph::run(ThreadPool &pool, CpuTrace &trace) const {
  trace.beginRun();
  runWaves(pool, Traced{trace});
}

template <typename Way>
void CpuGraph::runWaves(ThreadPool &pool, Way way) const {
  pool.hold();
  for (auto &wave : waves) {
    // It may wait for another process on this machine, which wants the cores.
    bool onlyHost = wave.onHost && wave.works.size() == 1;
    if (onlyHost)
      pool.release();
    way.run(pool, wave);
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
