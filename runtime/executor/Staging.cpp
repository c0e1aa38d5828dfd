#include "runtime/executor/Staging.h"

#include <algorithm>
#include <cstring>

namespace llamarun {

// Two values closer than this share a copy.
static constexpr std::uint64_t kGap = 4096;
static constexpr std::uint64_t kAlignment = 64;

StagingLayout::StagingLayout(
    const Plan &plan, const Bindings *bindings,
    const std::function<DeviceRange(std::size_t)> &range) {
  std::vector<std::uint32_t> allocations;
  std::vector<std::uint32_t> order;
  for (std::uint32_t i = 0; i < sizeOf(bindings); ++i)
    order.push_back(i);
  auto bufferOf = [&](std::uint32_t i) { return bindings->Get(i)->buffer(); };
  std::sort(order.begin(), order.end(), [&](auto x, auto y) {
    auto &a = plan.buffer(bufferOf(x)), &b = plan.buffer(bufferOf(y));
    return std::pair(a.allocation(), a.offset()) <
           std::pair(b.allocation(), b.offset());
  });
  std::uint32_t previous = 0;
  for (auto i : order) {
    Value value{viewOf(bindings->Get(i)->name()), range(bufferOf(i)), 0};
    auto allocation = plan.buffer(bufferOf(i)).allocation();
    auto *begin = static_cast<char *>(value.device.pointer);
    std::uint64_t gap = kGap;
    if (!groups.empty() && allocation == previous)
      gap = static_cast<std::uint64_t>(
          begin - (static_cast<char *>(groups.back().device.pointer) +
                   groups.back().device.bytes));
    if (gap < kGap) {
      auto &group = groups.back();
      value.at = group.at + group.device.bytes + gap;
      group.device.bytes += gap + value.device.bytes;
      group.last = values.size() + 1;
    } else {
      value.at = (bytes + kAlignment - 1) / kAlignment * kAlignment;
      groups.push_back(
          {values.size(), values.size() + 1, value.device, value.at});
    }
    bytes = value.at + value.device.bytes;
    previous = allocation;
    values.push_back(value);
  }
}

std::size_t StagingLayout::find(std::string_view name) const {
  return static_cast<std::size_t>(
      std::find_if(values.begin(), values.end(),
                   [&](auto &value) { return value.name == name; }) -
      values.begin());
}

StagingBlock::StagingBlock(Device &device, std::uint64_t bytes)
    : device(device),
      pointer(static_cast<char *>(device.allocateStaging(bytes))) {}

RunSlot::RunSlot(Device &device, std::uint64_t inputBytes,
                 std::uint64_t outputBytes)
    : inputs(device, inputBytes), outputs(device, outputBytes),
      begin(device.makeMark()), done(device.makeMark()) {
  std::memset(inputs.at(0), 0, inputBytes); // gaps between values travel, too
}

} // namespace llamarun
