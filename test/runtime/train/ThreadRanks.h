//===- ThreadRanks.h - A job whose ranks are threads -----------*- C++ -*-===//
#pragma once

#include "runtime/comm/Communicator.h"
#include "runtime/comm/Peers.h"

#include <cstdint>
#include <functional>
#include <span>

namespace llamarun::test {

/// Runs `body` once a rank, each in a thread with a Peers of its own; rethrows
/// what the first failing one threw. The others then get its error out of their
/// exchanges, as from real peers.
void runRanks(unsigned size, const std::function<void(Peers &)> &body);

/// Of a plan without collectives: what a Session with a grid asks for.
class NoCommunicators final : public Communicators {
public:
  NoCommunicators(const Plan &plan, unsigned rank)
      : theGrid(plan), theRank(rank) {}
  const Grid &grid() const override { return theGrid; }
  unsigned rank() const override { return theRank; }
  void prepare(Device &, std::span<const std::uint8_t>,
               const CollectiveCall &) override {}
  void enqueue(Device &, StreamId, std::span<const std::uint8_t>,
               const CollectiveCall &) override;
  void abort() noexcept override {}

private:
  Grid theGrid;
  unsigned theRank;
};

} // namespace llamarun::test
