#include "runtime/device/cuda/CudaMemory.h"

#include <algorithm>

namespace llamarun {

CudaMemory::~CudaMemory() {
  for (auto &[pointer, block] : blocks)
    if (!abandoned)
      release(block);
}

void CudaMemory::release(const Block &block) noexcept {
  auto &cuda = context.useQuietly();
  if (!block.mapped) {
    cuda.cuMemFreeFn(block.base);
    return;
  }
  cuda.cuMemUnmapFn(block.base, block.mapped);
  cuda.cuMemAddressFreeFn(block.base, block.mapped);
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
  if (abandoned)
    return;
  // Work that uses the memory may still run.
  context.useQuietly().cuCtxSynchronizeFn();
  release(block);
}

void *CudaMemory::allocateShared(CUstream stream, std::uint64_t bytes,
                                 std::uint64_t alignment,
                                 fb::Category category) {
  auto &cuda = context.use();
  CUmemAllocationProp properties{};
  properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, {context.gpu()}};
  properties.requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
  std::size_t page = 0;
  LLAMAC_CU(cuda, cuMemGetAllocationGranularity, &page, &properties,
            CU_MEM_ALLOC_GRANULARITY_RECOMMENDED);
  if (alignment > page || bytes > UINT64_MAX - page)
    fail(ExitCode::DoesNotFit, "an allocation of ", bytes, " bytes aligned to ",
         alignment);
  auto size = std::max<std::uint64_t>(1, (bytes + page - 1) / page) * page;
  CUmemGenericAllocationHandle handle = 0;
  auto result = cuda.cuMemCreateFn(&handle, size, &properties, 0);
  if (result != CUDA_SUCCESS)
    fail(result == CUDA_ERROR_OUT_OF_MEMORY ? ExitCode::DoesNotFit
                                            : ExitCode::BadInput,
         "cuMemCreate of ", size, " bytes: ", cuda.describe(result));
  CUmemAccessDesc access{properties.location,
                         CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
  CUdeviceptr base = 0;
  const char *call = "cuMemAddressReserve";
  result = cuda.cuMemAddressReserveFn(&base, size, page, 0, 0);
  bool reserved = result == CUDA_SUCCESS, mapped = false;
  if (reserved) {
    call = "cuMemMap";
    result = cuda.cuMemMapFn(base, size, 0, handle, 0);
    mapped = result == CUDA_SUCCESS;
  }
  if (mapped) {
    call = "cuMemSetAccess";
    result = cuda.cuMemSetAccessFn(base, size, &access, 1);
  }
  cuda.cuMemReleaseFn(handle); // the mapping holds the memory
  if (result != CUDA_SUCCESS) {
    if (mapped)
      cuda.cuMemUnmapFn(base, size);
    if (reserved)
      cuda.cuMemAddressFreeFn(base, size);
    cuda.refuse(result, call);
  }
  auto *pointer = reinterpret_cast<void *>(base);
  blocks[pointer] = {base, bytes, category, size};
  counts[static_cast<std::size_t>(category)] += bytes;
  LLAMAC_CU(cuda, cuMemsetD8Async, base, 0, size, stream);
  LLAMAC_CU(cuda, cuStreamSynchronize, stream);
  return pointer;
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
