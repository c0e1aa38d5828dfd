#include "runtime/comm/NcclGroup.h"

#include "runtime/support/Error.h"

#include <chrono>
#include <cstring>
#include <thread>

namespace llamarun {

// How often NCCL is asked whether it is done: making a communicator takes from
// a tenth of a second to some seconds.
static constexpr auto kPoll = std::chrono::microseconds(100);
// How long the control plane may take to tell why NCCL failed.
static constexpr auto kVerdict = std::chrono::seconds(2);
// All ranks leave together (Peers::leave): longer than this, one has not.
static constexpr auto kFarewell = std::chrono::seconds(5);

static ncclDataType_t typeOf(fb::DType dtype) {
  switch (dtype) {
  case fb::DType::F32:
    return ncclFloat32;
  case fb::DType::BF16:
    return ncclBfloat16;
  case fb::DType::F16:
    return ncclFloat16;
  case fb::DType::F64:
    return ncclFloat64;
  case fb::DType::I32:
    return ncclInt32;
  case fb::DType::I64:
    return ncclInt64;
  case fb::DType::U8:
    return ncclUint8;
  }
  fail(ExitCode::BadInput, "NCCL has no type for dtype ",
       static_cast<int>(dtype));
}

NcclGroup::NcclGroup(const NcclLibrary &nccl, Peers &peers, std::uint32_t size,
                     std::uint32_t mine)
    : nccl(nccl), peers(peers), size(size), mine(mine) {}

NcclGroup::~NcclGroup() {
  while (!windows.empty())
    forget(windows.back().pointer);
  // Half made, it waits for peers that are lost: left to the process's end.
  if (!connected)
    return;
  std::lock_guard lock(mutex);
  if (!comm)
    return;
  auto result = nccl.ncclCommFinalizeFn(comm);
  auto end = std::chrono::steady_clock::now() + kFarewell;
  while (result == ncclInProgress && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(kPoll);
    if (nccl.ncclCommGetAsyncErrorFn(comm, &result) != ncclSuccess)
      break;
  }
  if (result == ncclSuccess)
    nccl.ncclCommDestroyFn(comm);
  else
    nccl.ncclCommAbortFn(comm);
}

void NcclGroup::lost(const std::string &why) {
  // The control plane knows better who is to blame.
  auto end = std::chrono::steady_clock::now() + kVerdict;
  do {
    peers.check();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  } while (std::chrono::steady_clock::now() < end);
  fail(ExitCode::PeerLost, why);
}

template <typename Call> void NcclGroup::run(const char *name, Call &&call) {
  ncclResult_t result = ncclInProgress;
  for (bool first = true; result == ncclInProgress; first = false) {
    if (!first) {
      std::this_thread::sleep_for(kPoll);
      peers.check(); // before there is a thread that would abort
    }
    // Not under the lock: ncclCommAbort may keep it for ever.
    if (aborted)
      lost("ended because a peer was lost");
    std::unique_lock lock(mutex);
    if (!comm && connected)
      continue; // aborted this moment
    ncclResult_t asked = ncclSuccess;
    if (first)
      result = call();
    else
      asked = nccl.ncclCommGetAsyncErrorFn(comm, &result);
    // Some calls say that they are done while they are not (registering).
    if (first && result == ncclSuccess)
      asked = nccl.ncclCommGetAsyncErrorFn(comm, &result);
    if (asked != ncclSuccess)
      result = asked;
  }
  if (result == ncclSuccess)
    return;
  auto why = std::string(name) + ": " + nccl.describe(result, comm);
  // What the caller did wrong, or this machine lacks, is nobody else's doing.
  if (result == ncclInvalidArgument || result == ncclInvalidUsage ||
      result == ncclUnhandledCudaError)
    fail(ExitCode::BadInput, why);
  lost(why);
}

std::string NcclGroup::drawId() const {
  ncclUniqueId id;
  auto result = nccl.ncclGetUniqueIdFn(&id);
  if (result != ncclSuccess)
    fail(ExitCode::PeerLost,
         "ncclGetUniqueId: ", nccl.describe(result, nullptr));
  return {id.internal, sizeof id.internal};
}

void NcclGroup::connect(const std::string &bytes) {
  ncclUniqueId id{};
  std::memcpy(id.internal, bytes.data(), std::min(bytes.size(), kIdBytes));
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  run("ncclCommInitRankConfig", [&] {
    return nccl.ncclCommInitRankConfigFn(&comm, static_cast<int>(size), id,
                                         static_cast<int>(mine), &config);
  });
  connected = true;
}

void NcclGroup::enqueue(const CollectiveCall &call, cudaStream_t stream) {
  auto *source = call.source.pointer;
  auto *target = call.target.pointer;
  auto type = typeOf(call.dtype);
  auto width = sizeOf(call.dtype);
  switch (call.kind) {
  case fb::CollectiveKind::AllReduceSum:
  case fb::CollectiveKind::AllReduceMax:
    return run("ncclAllReduce", [&] {
      return nccl.ncclAllReduceFn(
          source, target, call.source.bytes / width, type,
          call.kind == fb::CollectiveKind::AllReduceSum ? ncclSum : ncclMax,
          comm, stream);
    });
  case fb::CollectiveKind::AllGather:
    return run("ncclAllGather", [&] {
      return nccl.ncclAllGatherFn(source, target, call.source.bytes / width,
                                  type, comm, stream);
    });
  case fb::CollectiveKind::ReduceScatterSum:
    return run("ncclReduceScatter", [&] {
      return nccl.ncclReduceScatterFn(source, target, call.target.bytes / width,
                                      type, ncclSum, comm, stream);
    });
  case fb::CollectiveKind::Broadcast:
    return run("ncclBroadcast", [&] {
      return nccl.ncclBroadcastFn(source, target, call.source.bytes / width,
                                  type, 0, comm, stream);
    });
  }
}

void NcclGroup::share(void *pointer, std::uint64_t bytes) {
  ncclWindow_t window = nullptr;
  auto whole = (bytes + NCCL_WIN_REQUIRED_ALIGNMENT - 1) /
               NCCL_WIN_REQUIRED_ALIGNMENT * NCCL_WIN_REQUIRED_ALIGNMENT;
  run("ncclCommWindowRegister", [&] {
    return nccl.ncclCommWindowRegisterFn(comm, pointer, whole, &window,
                                         NCCL_WIN_COLL_SYMMETRIC);
  });
  windows.push_back({pointer, window});
}

void NcclGroup::forget(void *pointer) noexcept {
  for (auto it = windows.begin(); it != windows.end(); ++it)
    if (it->pointer == pointer) {
      auto window = it->window;
      windows.erase(it);
      try {
        if (window && !aborted)
          run("ncclCommWindowDeregister",
              [&] { return nccl.ncclCommWindowDeregisterFn(comm, window); });
      } catch (const Error &) { // the job ends for another reason
      }
      return;
    }
}

ncclResult_t NcclGroup::asyncError() {
  std::lock_guard lock(mutex);
  ncclResult_t result = ncclSuccess;
  if (comm && !aborted &&
      nccl.ncclCommGetAsyncErrorFn(comm, &result) != ncclSuccess)
    result = ncclSystemError;
  return result == ncclInProgress ? ncclSuccess : result;
}

void NcclGroup::abort() noexcept {
  refuse();
  std::lock_guard lock(mutex);
  if (comm)
    nccl.ncclCommAbortFn(comm);
  comm = nullptr;
}

} // namespace llamarun
