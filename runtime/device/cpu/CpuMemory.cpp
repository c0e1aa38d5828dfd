#include "runtime/device/cpu/CpuMemory.h"

#include "runtime/support/Error.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>
#include <sys/mman.h>

namespace llamarun {

static constexpr std::uint64_t kPage = 4096;

CpuMemory::~CpuMemory() {
  for (auto &[pointer, block] : blocks)
    ::munmap(block.mapping, block.mapped);
}

void *CpuMemory::allocate(std::uint64_t bytes, std::uint64_t alignment,
                          fb::Category category) {
  std::uint64_t slack = alignment > kPage ? alignment : 0;
  if (bytes > std::numeric_limits<std::uint64_t>::max() / 4)
    fail(ExitCode::DoesNotFit, "cannot allocate ", bytes, " bytes");
  std::uint64_t mapped =
      std::max<std::uint64_t>((bytes + slack + kPage - 1) / kPage, 1) * kPage;
  void *mapping = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED)
    fail(ExitCode::DoesNotFit, "cannot allocate ", bytes,
         " bytes of host memory: ", std::strerror(errno));
  auto address = reinterpret_cast<std::uintptr_t>(mapping);
  address = (address + alignment - 1) / alignment * alignment;
  auto *pointer = reinterpret_cast<void *>(address);
  blocks[pointer] = {mapping, mapped, bytes, category};
  counts[static_cast<std::size_t>(category)] += bytes;
  return pointer;
}

void CpuMemory::free(void *pointer) {
  auto found = blocks.find(pointer);
  if (found == blocks.end())
    return;
  auto &block = found->second;
  ::munmap(block.mapping, block.mapped);
  counts[static_cast<std::size_t>(block.category)] -= block.bytes;
  blocks.erase(found);
}

/// The number in a one-line file, or nothing ("max", no such file).
static std::uint64_t readNumber(const char *path, std::uint64_t otherwise) {
  std::ifstream file(path);
  std::uint64_t value;
  return file >> value ? value : otherwise;
}

MemoryInfo CpuMemory::info() {
  MemoryInfo info;
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  std::uint64_t kib;
  while (file >> key >> kib) {
    std::getline(file, unit);
    if (key == "MemTotal:")
      info.totalBytes = kib * 1024;
    if (key == "MemAvailable:")
      info.freeBytes = kib * 1024;
  }
  if (info.totalBytes == 0) // no /proc: let mmap decide
    info.freeBytes = info.totalBytes = 1ull << 62;
  constexpr auto none = std::numeric_limits<std::uint64_t>::max();
  auto limit = readNumber("/sys/fs/cgroup/memory.max", none);
  if (limit != none) {
    auto used = readNumber("/sys/fs/cgroup/memory.current", 0);
    info.totalBytes = std::min(info.totalBytes, limit);
    info.freeBytes = std::min(info.freeBytes, limit > used ? limit - used : 0);
  }
  return info;
}

} // namespace llamarun
