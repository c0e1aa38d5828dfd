#include "runtime/trace/ClockOffsets.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <limits>

namespace llamarun {

ClockOffset clockOffset(std::span<const ClockExchange> first,
                        std::span<const ClockExchange> other) {
  auto least = std::numeric_limits<std::int64_t>::min();
  auto most = std::numeric_limits<std::int64_t>::max();
  for (std::size_t i = 0; i < std::min(first.size(), other.size()); ++i) {
    // first.begin <= T <= first.end, other.begin <= T + offset <= other.end
    least = std::max(least, other[i].begin - first[i].end);
    most = std::min(most, other[i].end - first[i].begin);
  }
  return {least + (most - least) / 2, (most - least + 1) / 2};
}

static std::string contents(const char *path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string clockIdentity() {
  std::string boot = contents("/proc/sys/kernel/random/boot_id");
  // Empty on kernels without time namespaces.
  return boot.empty() ? boot : boot + contents("/proc/self/timens_offsets");
}

} // namespace llamarun
