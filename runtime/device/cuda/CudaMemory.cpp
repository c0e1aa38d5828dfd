#include "runtime/device/cuda/CudaMemory.h"

#include <algorithm>

namespace llamarun {

CudaMemory::~CudaMemory() {
  auto &cuda = context.useQuietly();
  for (auto &[pointer, block] : blocks)
    cuda.cuMemFreeFn(block.base);
}

void *CudaMemory::allocate(CUstream stream, std::uint64_t bytes,
                           std::uint64_t alignment, fb::Category category) {
  auto &cuda = context.use();
  std::uint64_t extra = alignment > kAlignment ? alignment - kAlignment : 0;
  std::uint64_t size = std::max<std::uint64_t>(bytes, 1);
  if (size > UINT64_MAX - extra)
    fail(ExitCode::DoesNotFit, "an allocation of ", bytes, " bytes aligned to ",
         alignment);
  CUdeviceptr base = 0;
  auto result = cuda.cuMemAllocFn(&base, size + extra);
  if (result != CUDA_SUCCESS)
    fail(result == CUDA_ERROR_OUT_OF_MEMORY ? ExitCode::DoesNotFit
                                            : ExitCode::BadInput,
         "cuMemAlloc of ", size + extra, " bytes: ", cuda.describe(result));
  auto address = (base + extra) / alignment * alignment;
  if (extra == 0)
    address = base;
  auto *pointer = reinterpret_cast<void *>(address);
  blocks[pointer] = {base, bytes, category};
  counts[static_cast<std::size_t>(category)] += bytes;
  LLAMAC_CU(cuda, cuMemsetD8Async, address, 0, size, stream);
  LLAMAC_CU(cuda, cuStreamSynchronize, stream);
  return pointer;
}

void CudaMemory::free(void *pointer) noexcept {
  auto found = blocks.find(pointer);
  if (found == blocks.end())
    return;
  auto block = found->second;
  blocks.erase(found);
  counts[static_cast<std::size_t>(block.category)] -= block.bytes;
  auto &cuda = context.useQuietly();
  cuda.cuCtxSynchronizeFn(); // work that uses the memory may still run
  cuda.cuMemFreeFn(block.base);
}

void *cudaAllocateStaging(const CudaContext &context, std::uint64_t bytes) {
  auto &cuda = context.use();
  void *pointer = nullptr;
  auto result = cuda.cuMemHostAllocFn(
      &pointer, std::max<std::uint64_t>(bytes, 1), CU_MEMHOSTALLOC_PORTABLE);
  if (result != CUDA_SUCCESS)
    fail(ExitCode::DoesNotFit, "cuMemHostAlloc of ", bytes,
         " bytes of page-locked memory: ", cuda.describe(result));
  return pointer;
}

void cudaCopyRowsIn(const CudaContext &context, CUstream stream, void *target,
                    std::uint64_t pitch, const void *source,
                    std::uint64_t width, std::uint64_t rows) {
  if (!width || !rows)
    return;
  if (rows == 1 || pitch == width) {
    LLAMAC_CU(context.use(), cuMemcpyHtoDAsync, addressOf(target), source,
              width * rows, stream);
    return;
  }
  CUDA_MEMCPY2D copy{};
  copy.srcMemoryType = CU_MEMORYTYPE_HOST;
  copy.srcHost = source;
  copy.srcPitch = width;
  copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
  copy.dstDevice = addressOf(target);
  copy.dstPitch = pitch;
  copy.WidthInBytes = width;
  copy.Height = rows;
  LLAMAC_CU(context.use(), cuMemcpy2DAsync, &copy, stream);
}

void cudaCopyRowsOut(const CudaContext &context, CUstream stream, void *target,
                     const void *source, std::uint64_t pitch,
                     std::uint64_t width, std::uint64_t rows) {
  if (!width || !rows)
    return;
  if (rows == 1 || pitch == width) {
    LLAMAC_CU(context.use(), cuMemcpyDtoHAsync, target, addressOf(source),
              width * rows, stream);
    return;
  }
  CUDA_MEMCPY2D copy{};
  copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
  copy.srcDevice = addressOf(source);
  copy.srcPitch = pitch;
  copy.dstMemoryType = CU_MEMORYTYPE_HOST;
  copy.dstHost = target;
  copy.dstPitch = width;
  copy.WidthInBytes = width;
  copy.Height = rows;
  LLAMAC_CU(context.use(), cuMemcpy2DAsync, &copy, stream);
}

MemoryInfo CudaMemory::info() const {
  std::size_t free = 0, total = 0;
  LLAMAC_CU(context.use(), cuMemGetInfo, &free, &total);
  return {free, total};
}

} // namespace llamarun
