//===- CollectiveCost.h - How long collectives take ------------*- C++ -*-===//
//
// Shared by llamac --report and llamarun inspect, which predict the same times;
// hence header-only and without any dependency but the schema.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/plan/plan_generated.h"

#include <cstdint>
#include <string_view>

namespace llama::plan {

/// What carries collectives, for predictions: a call takes
///   latency + traffic / bandwidth,
/// where traffic is what one rank sends at least: 2 (n - 1) / n times the bytes
/// of an all-reduce among n, (n - 1) / n times the larger side of an all-gather
/// or reduce-scatter, all bytes of a broadcast.
struct Link {
  const char *name;
  double latency;   ///< seconds of a call of a few bytes
  double bandwidth; ///< bytes a second that one rank sends
};

// Measured constants; a bench of each engine prints the pairs to fit them.
//  nvlink: NCCL 2.28 in a CUDA graph between two H200s (NV18), shared windows:
//          bench/results/2026-11-22-h200-collectives.md.
//  tcp:    Gloo between two processes of one host over loopback, 64 KiB to
//          4 MiB, 2 cores with other work beside: the best of several runs, and
//          no more than a hint. A network is another matter.
inline constexpr Link kNvlink{"nvlink", 5e-6, 330e9};
inline constexpr Link kTcp{"tcp", 150e-6, 0.7e9};

/// By the kind of a target: "nvlink" for "cuda", "tcp" for CPUs.
inline const Link &linkOf(std::string_view target) {
  return target == "cuda" ? kNvlink : kTcp;
}

/// Seconds of a call among `devices` whose larger side has `bytes` on one rank;
/// 0 for a group of one.
inline double secondsOf(const Link &link, CollectiveKind kind,
                        std::uint64_t devices, std::uint64_t bytes) {
  if (devices <= 1)
    return 0;
  auto n = static_cast<double>(devices), traffic = static_cast<double>(bytes);
  switch (kind) {
  case CollectiveKind::AllReduceSum:
  case CollectiveKind::AllReduceMax:
    traffic *= 2 * (n - 1) / n;
    break;
  case CollectiveKind::AllGather:
  case CollectiveKind::ReduceScatterSum:
    traffic *= (n - 1) / n;
    break;
  case CollectiveKind::Broadcast:
    break;
  }
  return link.latency + traffic / link.bandwidth;
}

} // namespace llama::plan
