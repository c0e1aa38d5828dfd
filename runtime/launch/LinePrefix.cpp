#include "runtime/launch/LinePrefix.h"

namespace llamarun {

std::string LinePrefix::add(std::string_view bytes) {
  std::string lines;
  while (!bytes.empty()) {
    std::size_t end = bytes.find('\n');
    bool whole = end != bytes.npos;
    pending.append(bytes.substr(0, end));
    bytes.remove_prefix(whole ? end + 1 : bytes.size());
    for (; pending.size() > kLongest; pending.erase(0, kLongest))
      lines += prefix + pending.substr(0, kLongest) + "\n";
    if (whole) {
      lines += prefix + pending + "\n";
      pending.clear();
    }
  }
  return lines;
}

std::string LinePrefix::end() {
  if (pending.empty())
    return {};
  std::string line = prefix + pending + "\n";
  pending.clear();
  return line;
}

} // namespace llamarun
