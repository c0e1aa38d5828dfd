#include "runtime/device/cuda/CudaSnapshot.h"

#include <algorithm>

namespace llamarun {

class CudaSnapshots::Copy final : public Snapshot {
public:
  Copy(CudaSnapshots &owner, std::uint64_t bytes)
      : owner(owner), bytes(bytes) {}
  ~Copy() override { owner.taken = false; }

  // The next piece is on its way while `take` has this one.
  void
  read(const std::function<void(std::span<const std::byte>)> &take) override {
    owner.copied->wait();
    auto sizeAt = [&](std::uint64_t at) {
      return std::min(kPiece, bytes - at);
    };
    auto fetch = [&](std::uint64_t at) {
      std::size_t half = at / kPiece % 2;
      auto &cuda = owner.context.use();
      LLAMAC_CU(cuda, cuMemcpyDtoHAsync, owner.staging + half * kPiece,
                owner.memory + at, sizeAt(at), owner.stream);
      owner.arrived[half]->recordOn(owner.stream);
    };
    if (bytes)
      fetch(0);
    for (std::uint64_t at = 0; at < bytes; at += kPiece) {
      if (at + kPiece < bytes)
        fetch(at + kPiece);
      std::size_t half = at / kPiece % 2;
      owner.arrived[half]->wait();
      take({owner.staging + half * kPiece, sizeAt(at)});
    }
  }

private:
  CudaSnapshots &owner;
  std::uint64_t bytes;
};

CudaSnapshots::~CudaSnapshots() { release(); }

void CudaSnapshots::release() noexcept {
  if (abandoned)
    return;
  auto &cuda = context.useQuietly();
  if (memory)
    cuda.cuMemFreeFn(memory);
  if (staging)
    cuda.cuMemFreeHostFn(staging);
  if (stream)
    cuda.cuStreamDestroyFn(stream);
  memory = 0, size = 0, staging = nullptr, stream = nullptr;
}

/// False where there is no room.
bool CudaSnapshots::grow(std::uint64_t bytes) {
  if (bytes <= size)
    return true;
  release();
  auto &cuda = context.use();
  void *host = nullptr;
  if (cuda.cuMemAllocFn(&memory, bytes) != CUDA_SUCCESS) {
    memory = 0;
    return false;
  }
  if (cuda.cuMemHostAllocFn(&host, 2 * kPiece, 0) != CUDA_SUCCESS) {
    release();
    return false;
  }
  staging = static_cast<std::byte *>(host);
  int low = 0, high = 0;
  LLAMAC_CU(cuda, cuCtxGetStreamPriorityRange, &low, &high);
  LLAMAC_CU(cuda, cuStreamCreateWithPriority, &stream, CU_STREAM_NON_BLOCKING,
            low);
  for (auto &mark : {&copied, &arrived[0], &arrived[1]})
    mark->emplace(context);
  size = bytes;
  return true;
}

std::unique_ptr<Snapshot>
CudaSnapshots::make(CudaStreams &streams, std::span<const DeviceRows> parts) {
  std::uint64_t bytes = 0;
  for (auto &part : parts)
    bytes += part.width * part.rows;
  if (taken.exchange(true))
    return nullptr;
  auto copy = std::make_unique<Copy>(*this, bytes);
  if (!grow(bytes))
    return nullptr;
  auto &cuda = context.use();
  CUstream on = streams.get(0);
  CUdeviceptr at = memory;
  for (auto &part : parts) {
    if (part.rows == 1 || part.pitch == part.width) {
      LLAMAC_CU(cuda, cuMemcpyDtoDAsync, at, addressOf(part.pointer),
                part.width * part.rows, on);
    } else {
      CUDA_MEMCPY2D rows{};
      rows.srcMemoryType = rows.dstMemoryType = CU_MEMORYTYPE_DEVICE;
      rows.srcDevice = addressOf(part.pointer);
      rows.srcPitch = part.pitch;
      rows.dstDevice = at;
      rows.dstPitch = rows.WidthInBytes = part.width;
      rows.Height = part.rows;
      LLAMAC_CU(cuda, cuMemcpy2DAsync, &rows, on);
    }
    at += part.width * part.rows;
  }
  streams.endsInKernel(0, false);
  copied->recordOn(on);
  return copy;
}

} // namespace llamarun
