#include "runtime/train/Ranks.h"

#include "runtime/support/Error.h"

#include <algorithm>
#include <cstring>

namespace llamarun {

Ranks::Ranks(const Plan &plan, Peers *peers) : grid(plan), peers(peers) {
  if (peers) {
    mine = peers->world().rank;
    count = peers->world().size;
  }
  if (count != grid.devices())
    llamarun::fail(ExitCode::Usage, plan.path(), ": plan is for ",
                   grid.devices(), " ranks, there ",
                   count == 1 ? "is " : "are ", count);
  dataAxis = grid.find("dp");
  if (dataAxis < grid.axes())
    replicas = grid.size(dataAxis);
}

unsigned Ranks::dataRankOf(unsigned rank) const {
  return dataAxis < grid.axes() ? grid.coordinates(rank)[dataAxis] : 0;
}

bool Ranks::leads(unsigned rank) const {
  auto place = grid.coordinates(rank);
  for (std::size_t axis = 0; axis < place.size(); ++axis)
    if (axis != dataAxis && place[axis] != 0)
      return false;
  return true;
}

std::vector<std::int32_t> Ranks::gridIndex() const {
  auto place = grid.coordinates(mine);
  return {place.begin(), place.end()};
}

TensorSlice Ranks::slice(const Plan &plan, const fb::Tensor &tensor,
                         unsigned rank) const {
  if (plan.gridSize() != count)
    llamarun::fail(ExitCode::Usage, plan.path(), ": plan is for ",
                   plan.gridSize(), " ranks, not ", count);
  return sliceOf(plan, tensor, grid, rank);
}

std::vector<std::string> Ranks::exchange(std::string_view bytes) const {
  return alone() ? std::vector{std::string(bytes)} : peers->allGather(bytes);
}

std::vector<std::string> Ranks::gather(std::string_view bytes) const {
  if (alone())
    return {std::string(bytes)};
  constexpr std::size_t kPiece = 1 << 20;
  // The first piece brings the size.
  std::uint64_t size = bytes.size();
  std::string head(reinterpret_cast<const char *>(&size), sizeof(size));
  auto all = peers->allGather(head.append(bytes.substr(0, kPiece)));
  std::vector<std::uint64_t> sizes;
  for (auto &their : all) {
    if (their.size() < sizeof(size))
      llamarun::fail(ExitCode::PeerLost, "a rank sent ", their.size(),
                     " bytes where a size was due");
    std::memcpy(&sizes.emplace_back(), their.data(), sizeof(size));
    their.erase(0, sizeof(size));
  }
  auto most = *std::ranges::max_element(sizes);
  for (std::uint64_t at = kPiece; at < most; at += kPiece) {
    auto pieces = peers->allGather(at < size ? bytes.substr(at, kPiece)
                                             : std::string_view());
    for (unsigned rank = 0; rank < count; ++rank)
      all[rank] += pieces[rank];
  }
  for (unsigned rank = 0; rank < count; ++rank)
    if (all[rank].size() != sizes[rank])
      llamarun::fail(ExitCode::PeerLost, "rank ", rank, " sent ",
                     all[rank].size(), " bytes instead of ", sizes[rank]);
  return all;
}

std::vector<double> Ranks::gatherNumbers(std::span<const double> values) const {
  std::vector<double> all;
  for (auto &their : gather({reinterpret_cast<const char *>(values.data()),
                             values.size_bytes()})) {
    if (their.size() != values.size_bytes())
      llamarun::fail(ExitCode::PeerLost, "a rank sent ", their.size(),
                     " bytes, not ", values.size_bytes());
    all.resize(all.size() + values.size());
    std::memcpy(all.data() + all.size() - values.size(), their.data(),
                their.size());
  }
  return all;
}

std::string Ranks::fromFirst(std::string_view bytes) const {
  return std::move(gather(first() ? bytes : std::string_view())[0]);
}

void Ranks::progress() const {
  if (peers)
    peers->progress();
}

void Ranks::setStep(std::uint64_t step) const {
  if (peers)
    peers->setStep(static_cast<std::int64_t>(step));
}

void Ranks::check() const {
  if (peers)
    peers->check();
}

void Ranks::fail(const Error &error) const noexcept {
  if (peers)
    peers->fail(error);
}

} // namespace llamarun
