//===- CpuTrace.h - Times of chunks, by thread -----------------*- C++ -*-===//
#pragma once

#include "runtime/device/DeviceTrace.h"

#include <cstdint>
#include <vector>

namespace llamarun {

/// Every thread writes to a lane of its own; two readings of the clock a chunk.
class CpuTrace : public DeviceTrace {
public:
  explicit CpuTrace(unsigned threads) : lanes(threads) {}

  void start() override { on = true; }
  void stop() override { on = false; }
  DeviceRecords take() override;
  std::string_view source() const override { return "host clock"; }

  // --- by CpuGraph, while isOn() --------------------------------------------
  bool isOn() const { return on; }
  void beginRun() { ++runs; }
  void beginWave() { waves.push_back({runs - 1, traceClock(), 0}); }
  void endWave() { waves.back().end = traceClock(); }
  /// From any thread, between beginWave and endWave.
  void chunk(unsigned thread, WorkTag tag, std::int64_t begin,
             std::int64_t end) {
    auto &pieces = lanes[thread].pieces;
    auto wave = static_cast<std::uint32_t>(waves.size() - 1);
    // Its chunks on this thread follow each other: one piece.
    if (!pieces.empty() && pieces.back().tag == tag &&
        pieces.back().wave == wave)
      pieces.back().end = end;
    else
      pieces.push_back({tag, wave, begin, end});
  }

private:
  struct Piece {
    WorkTag tag;
    std::uint32_t wave;
    std::int64_t begin, end;
  };
  struct Wave {
    std::uint32_t run;
    std::int64_t begin, end;
  };
  struct alignas(64) Lane {
    std::vector<Piece> pieces;
  };
  bool on = false;
  std::uint32_t runs = 0;
  std::vector<Wave> waves;
  std::vector<Lane> lanes; ///< by ThreadPool::currentThread()
};

} // namespace llamarun
