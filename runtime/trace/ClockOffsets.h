//===- ClockOffsets.h - One time for the ranks of a job --------*- C++ -*-===//
//
// Processes of one host share a clock (steady_clock is CLOCK_MONOTONIC, which
// counts since the host's start). Between hosts the offset follows from
// exchanges in which everybody waits for everybody: there is a moment, the one
// at which the last rank has joined, that lies between the begin and the end of
// the exchange on every rank. Each exchange so bounds the offset from both
// sides (Cristian's algorithm, 1989, with the bounds of all rounds kept).
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace llamarun {

/// One exchange, as a rank's clock saw it.
struct ClockExchange {
  std::int64_t begin = 0, end = 0;
};

struct ClockOffset {
  /// Nanoseconds to take from the rank's clock to get rank 0's.
  std::int64_t offset = 0;
  /// It is wrong by so many at most; negative: bounds exclude each other, as
  /// when a clock was set.
  std::int64_t error = 0;
};

/// Of the same exchanges on rank 0 and on another rank, of which there is one
/// at least.
ClockOffset clockOffset(std::span<const ClockExchange> first,
                        std::span<const ClockExchange> other);

/// Equal for processes that read the same clock: the kernel's start, and the
/// time namespace. Empty if it cannot be told.
std::string clockIdentity();

} // namespace llamarun
