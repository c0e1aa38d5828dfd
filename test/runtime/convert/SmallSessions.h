//===- SmallSessions.h - Ranks of small plans, as threads ------*- C++ -*-===//
#pragma once

#include "runtime/comm/Communicator.h"
#include "runtime/convert/TrainingState.h"
#include "test/runtime/convert/SmallPlans.h"
#include "test/runtime/io/TestFiles.h"

#include <barrier>
#include <thread>

namespace llamarun::test {

/// What every element should be: another number for each role, tensor and
/// place in the whole tensor.
inline float valueOf(fb::Role role, std::string_view name, std::uint64_t i) {
  float tensor = name == "rows" ? 1000.f : name == "columns" ? 2000.f : 3000.f;
  return static_cast<float>(role) * 10000.f + tensor + static_cast<float>(i);
}
constexpr std::int64_t kStep = (std::int64_t(1) << 40) + 7;

/// Ranks never exchange anything.
struct SilentCommunicators : Communicators {
  Grid theGrid;
  unsigned theRank;
  SilentCommunicators(const Plan &plan, unsigned rank)
      : theGrid(plan), theRank(rank) {}
  const Grid &grid() const override { return theGrid; }
  unsigned rank() const override { return theRank; }
  void prepare(Device &, std::span<const std::uint8_t>,
               const CollectiveCall &) override {}
  void enqueue(Device &, StreamId, std::span<const std::uint8_t>,
               const CollectiveCall &) override {}
  void abort() noexcept override {}
};

/// One rank of a plan.
struct SmallRank {
  SilentCommunicators communicators;
  Session session;
  SmallRank(const std::shared_ptr<const Plan> &plan, unsigned rank)
      : communicators(*plan, rank),
        session(plan, createDevice("cpu", {.threads = 1}),
                {.communicators = &communicators}) {}

  /// Elements that this rank should have of a tensor, in order.
  std::vector<float> expected(fb::Role role, const SmallTensor &tensor,
                              SmallLayout layout) const {
    auto local = localShape(tensor, layout);
    std::uint64_t part =
        tensor.split < 0 ? 0 : communicators.theRank % layout.tp;
    std::uint64_t rows = local[0], columns = local.size() > 1 ? local[1] : 1;
    std::uint64_t width = tensor.shape.size() > 1 ? tensor.shape[1] : 1;
    std::vector<float> values;
    for (std::uint64_t r = 0; r < rows; ++r)
      for (std::uint64_t c = 0; c < columns; ++c)
        values.push_back(
            valueOf(role, tensor.name,
                    (r + (tensor.split == 0 ? part * rows : 0)) * width + c +
                        (tensor.split == 1 ? part * columns : 0)));
    return values;
  }
};

inline const fb::Role kRoles[] = {fb::Role::Parameter, fb::Role::FirstMoment,
                                  fb::Role::SecondMoment};

inline void fill(SmallRank &rank, SmallLayout layout) {
  for (auto role : kRoles)
    for (auto &tensor : kSmallTensors) {
      auto values = rank.expected(role, tensor, layout);
      rank.session.writeTensor(role, tensor.name,
                               std::as_bytes(std::span(values)));
    }
  rank.session.writeTensor(fb::Role::State, "optimizer.step",
                           std::as_bytes(std::span(&kStep, 1)));
}

inline void expectFilled(SmallRank &rank, SmallLayout layout) {
  for (auto role : kRoles)
    for (auto &tensor : kSmallTensors) {
      auto expected = rank.expected(role, tensor, layout);
      std::vector<float> found(expected.size());
      rank.session.readTensor(role, tensor.name,
                              std::as_writable_bytes(std::span(found)));
      EXPECT_EQ(found, expected) << nameOf(role) << " " << tensor.name;
    }
  std::int64_t step = 0;
  rank.session.readTensor(fb::Role::State, "optimizer.step",
                          std::as_writable_bytes(std::span(&step, 1)));
  EXPECT_EQ(step, kStep);
}

/// Runs `action(rank, gather)` for every rank of a layout at once.
template <typename Action> void onAllRanks(SmallLayout layout, Action action) {
  auto plan = trainingPlan(layout).load();
  unsigned count = layout.dp * layout.tp;
  std::barrier meeting(count);
  std::vector<std::string> board(count);
  std::vector<std::thread> threads;
  for (unsigned r = 0; r < count; ++r)
    threads.emplace_back([&, r] {
      SmallRank rank(plan, r);
      Gather gather = [&, r](std::string_view mine) {
        board[r] = mine;
        meeting.arrive_and_wait();
        auto all = board;
        meeting.arrive_and_wait();
        return all;
      };
      action(rank, gather);
    });
  for (auto &thread : threads)
    thread.join();
}

inline const TrainingPosition kPosition{11, 2, 3, 42, 43};

/// A checkpoint of the layout with the values above.
inline void makeCheckpoint(SmallLayout layout,
                           const std::filesystem::path &where) {
  onAllRanks(layout, [&](SmallRank &rank, const Gather &gather) {
    fill(rank, layout);
    saveCheckpoint(rank.session, rank.communicators.grid(),
                   rank.communicators.rank(), kPosition, where, gather);
  });
}

} // namespace llamarun::test
