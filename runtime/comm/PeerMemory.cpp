#include "runtime/comm/PeerMemory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string_view>
#include <unistd.h>

namespace llamarun {

// As in passes/codegen/GpuRowwiseSum.cpp.
static constexpr std::uint64_t kPhases = 3;
static constexpr unsigned kAbsent = 0x80008000;
static constexpr std::uint64_t kStateBytes = 256; ///< of it 16 are used

/// What a rank tells the others of its inbox. They are all llamarun of the same
/// version (Peers' fingerprint): the bytes are as they lie.
struct Offer {
  char usable = 0;
  CUipcMemHandle handle{};
  // Of the same process (tests): the memory itself.
  std::uint64_t process = 0, address = 0, context = 0;
};

std::string hostIdentity() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string text;
  std::getline(file, text);
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  return text + name;
}

PeerMemory::PeerMemory(unsigned ordinal, Peers &peers,
                       const std::vector<std::uint32_t> &ranks,
                       std::uint64_t bytes)
    : context(ordinal), slot((bytes + 255) / 256 * 256) {
  auto me = peers.world().rank;
  auto at = std::find(ranks.begin(), ranks.end(), me);
  mine = at - ranks.begin();
  auto &cuda = context.use();
  Offer offer;
  const char *wanted = std::getenv("LLAMAC_PEER_MEMORY");
  if (!wanted || std::string_view(wanted) != "0")
    try {
      make(ranks.size());
      offer.usable =
          cuda.cuIpcGetMemHandleFn(&offer.handle, inbox) == CUDA_SUCCESS;
      CUcontext current = nullptr;
      LLAMAC_CU(cuda, cuCtxGetCurrent, &current);
      offer.process = static_cast<std::uint64_t>(::getpid());
      offer.address = inbox;
      offer.context = reinterpret_cast<std::uint64_t>(current);
    } catch (const Error &) { // short of memory: without
      release();
    }
  auto host = hostIdentity();
  auto all = peers.allGather(
      std::string(reinterpret_cast<char *>(&offer), sizeof offer) + host);

  std::vector<CUdeviceptr> inboxes;
  bool reached = offer.usable;
  for (auto rank : ranks) {
    Offer theirs;
    if (!reached || all[rank].size() < sizeof theirs ||
        all[rank].substr(sizeof theirs) != host) {
      reached = false;
      break;
    }
    std::memcpy(&theirs, all[rank].data(), sizeof theirs);
    if (rank == me) {
      inboxes.push_back(inbox);
      continue;
    }
    CUdeviceptr pointer = 0;
    if (!theirs.usable) {
      reached = false;
    } else if (theirs.process == offer.process) {
      auto result = cuda.cuCtxEnablePeerAccessFn(
          reinterpret_cast<CUcontext>(theirs.context), 0);
      reached = result == CUDA_SUCCESS ||
                result == CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED;
      pointer = theirs.address;
    } else {
      reached = cuda.cuIpcOpenMemHandleFn(&pointer, theirs.handle,
                                          CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS) ==
                CUDA_SUCCESS;
      if (reached)
        opened.push_back(pointer);
    }
    inboxes.push_back(pointer);
  }
  // All of the group or none. What one rank sends, others have empty by now.
  auto verdicts = peers.allGather(reached ? "1" : "0");
  mapped = std::all_of(ranks.begin(), ranks.end(),
                       [&](auto rank) { return verdicts[rank] == "1"; });
  if (mapped)
    LLAMAC_CU(cuda, cuMemcpyHtoD, table + kStateBytes, inboxes.data(),
              inboxes.size() * sizeof(CUdeviceptr));
  else
    release();
}

void PeerMemory::make(std::size_t devices) {
  auto &cuda = context.use();
  auto words = kPhases * devices * slot / 4;
  LLAMAC_CU(cuda, cuMemAlloc, &inbox, words * 4);
  LLAMAC_CU(cuda, cuMemsetD32, inbox, kAbsent, words);
  // State, then the table of inboxes.
  LLAMAC_CU(cuda, cuMemAlloc, &table,
            kStateBytes + devices * sizeof(CUdeviceptr));
  LLAMAC_CU(cuda, cuMemsetD32, table, 0, kStateBytes / 4);
  void *host = nullptr;
  LLAMAC_CU(cuda, cuMemHostAlloc, &host, sizeof(int),
            CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP);
  stop = static_cast<int *>(host);
  *stop = 0;
  LLAMAC_CU(cuda, cuCtxSynchronize);
}

KernelSum PeerMemory::arguments(std::uint64_t bytes) const {
  auto number = [](auto value) { return static_cast<std::int64_t>(value); };
  return {mine,          number(bytes),
          number(slot),  number(table + kStateBytes),
          number(table), number(reinterpret_cast<std::uintptr_t>(stop))};
}

void PeerMemory::abort() noexcept {
  aborted = true;
  if (stop)
    *static_cast<volatile int *>(stop) = 1;
}

void PeerMemory::release() noexcept {
  auto &cuda = context.useQuietly();
  for (auto pointer : opened)
    cuda.cuIpcCloseMemHandleFn(pointer);
  opened.clear();
  for (auto *pointer : {&inbox, &table}) {
    if (*pointer)
      cuda.cuMemFreeFn(*pointer);
    *pointer = 0;
  }
  if (stop)
    cuda.cuMemFreeHostFn(stop);
  stop = nullptr;
  mapped = false;
}

PeerMemory::~PeerMemory() {
  // A kernel may still be at it, and freeing would wait: the process ends.
  if (aborted)
    context.abandon();
  else
    release();
}

} // namespace llamarun
