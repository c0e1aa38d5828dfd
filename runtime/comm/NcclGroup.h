//===- NcclGroup.h - One communicator of NCCL ------------------*- C++ -*-===//
#pragma once

#include "runtime/comm/Communicator.h"
#include "runtime/comm/NcclLibrary.h"

#include <atomic>
#include <mutex>
#include <string>

namespace llamarun {

/// The ranks that differ along some axes. Calls but those said to be for any
/// thread are the main thread's.
class NcclGroup {
public:
  NcclGroup(const NcclLibrary &nccl, Peers &peers, std::uint32_t size,
            std::uint32_t mine);
  ~NcclGroup();
  NcclGroup(const NcclGroup &) = delete;
  NcclGroup &operator=(const NcclGroup &) = delete;

  std::uint32_t index() const { return mine; }
  /// What the member of index 0 draws and the others are given.
  static constexpr std::size_t kIdBytes = sizeof(ncclUniqueId);
  std::string drawId() const;
  /// With the GPU's context current; all members call it. Waits for them.
  void connect(const std::string &id);
  void enqueue(const CollectiveCall &call, cudaStream_t stream);

  /// Memory that collectives of this group touch, of the same size on all of
  /// its members, which all call this. It must be taken back (forget) before it
  /// is freed.
  void share(void *pointer, std::uint64_t bytes);
  void forget(void *pointer) noexcept;

  /// From any thread: what went wrong on NCCL's side; ncclSuccess if nothing.
  ncclResult_t asyncError();
  /// From any thread: every later call fails.
  void refuse() noexcept { aborted = true; }
  /// That, and ends kernels that wait. May wait for ever: kernels over shared
  /// windows do not listen.
  void abort() noexcept;

private:
  const NcclLibrary &nccl;
  Peers &peers;
  const std::uint32_t size, mine;
  std::mutex mutex; ///< of comm: calls are short, NCCL never blocks
  ncclComm_t comm = nullptr;
  std::atomic<bool> aborted{false}, connected{false};
  struct Window {
    void *pointer;
    ncclWindow_t window;
  };
  std::vector<Window> windows;

  /// Calls, and waits while NCCL is still at it.
  template <typename Call> void run(const char *name, Call &&call);
  [[noreturn]] void lost(const std::string &why);
};

} // namespace llamarun
