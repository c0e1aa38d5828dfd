#include "runtime/device/cuda/CudaLaunch.h"

#include "runtime/support/Error.h"

#include <vector>

namespace llamarun {

void prepareCudaLaunch(const CudaContext &context, const LaunchCall &call) {
  auto &cuda = context.use();
  auto function = static_cast<CUfunction>(call.kernel);
  constexpr CUdevice_attribute grids[] = {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X,
                                          CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y,
                                          CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z};
  constexpr CUdevice_attribute blocks[] = {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X,
                                           CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y,
                                           CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z};
  std::uint64_t threads = 1;
  for (unsigned d = 0; d < 3; ++d) {
    auto grid = static_cast<std::uint32_t>(context.attribute(grids[d]));
    auto block = static_cast<std::uint32_t>(context.attribute(blocks[d]));
    if (call.grid[d] == 0 || call.grid[d] > grid || call.block[d] == 0 ||
        call.block[d] > block)
      fail(ExitCode::BadInput, "launch of grid ", call.grid[0], "x",
           call.grid[1], "x", call.grid[2], ", block ", call.block[0], "x",
           call.block[1], "x", call.block[2],
           " is outside what this GPU takes");
    threads *= call.block[d];
  }
  int most = 0;
  LLAMAC_CU(cuda, cuFuncGetAttribute, &most,
            CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, function);
  if (threads > static_cast<std::uint64_t>(most))
    fail(ExitCode::BadInput, "launch of ", threads,
         " threads a block, but the kernel takes at most ", most);

  std::size_t count =
      call.reads.size() + call.writes.size() + call.scalars.size();
  std::size_t offset = 0, size = 0;
  for (std::size_t i = 0; i < count; ++i)
    if (cuda.cuFuncGetParamInfoFn(function, i, &offset, &size) !=
            CUDA_SUCCESS ||
        size != 8)
      fail(ExitCode::BadInput, "launch has ", count,
           " arguments, but the kernel has no 8-byte parameter ", i);
  if (cuda.cuFuncGetParamInfoFn(function, count, &offset, &size) ==
      CUDA_SUCCESS)
    fail(ExitCode::BadInput, "launch has ", count,
         " arguments, but the kernel takes more");

  if (call.sharedBytes == 0)
    return;
  int fixed = 0;
  LLAMAC_CU(cuda, cuFuncGetAttribute, &fixed,
            CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, function);
  int limit =
      context.attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
  if (std::uint64_t(call.sharedBytes) + static_cast<std::uint64_t>(fixed) >
      static_cast<std::uint64_t>(limit))
    fail(ExitCode::BadInput, "launch asks for ", call.sharedBytes, " + ", fixed,
         " bytes of shared memory, this GPU has ", limit);
  // Only upwards: another launch of the kernel may need more.
  int now = 0;
  LLAMAC_CU(cuda, cuFuncGetAttribute, &now,
            CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, function);
  if (static_cast<int>(call.sharedBytes) > now)
    LLAMAC_CU(cuda, cuFuncSetAttribute, function,
              CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
              static_cast<int>(call.sharedBytes));
}

void cudaLaunch(const CudaContext &context, CUstream stream,
                const LaunchCall &call, bool early) {
  std::vector<CUdeviceptr> values;
  for (auto &range : call.reads)
    values.push_back(addressOf(range.pointer));
  for (auto &range : call.writes)
    values.push_back(addressOf(range.pointer));
  for (auto scalar : call.scalars)
    values.push_back(static_cast<CUdeviceptr>(scalar));
  std::vector<void *> parameters;
  for (auto &value : values)
    parameters.push_back(&value);
  CUlaunchAttribute attribute{};
  attribute.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
  attribute.value.programmaticStreamSerializationAllowed = 1;
  CUlaunchConfig config{};
  config.gridDimX = call.grid[0];
  config.gridDimY = call.grid[1];
  config.gridDimZ = call.grid[2];
  config.blockDimX = call.block[0];
  config.blockDimY = call.block[1];
  config.blockDimZ = call.block[2];
  config.sharedMemBytes = call.sharedBytes;
  config.hStream = stream;
  if (early) {
    config.attrs = &attribute;
    config.numAttrs = 1;
  }
  LLAMAC_CU(context.use(), cuLaunchKernelEx, &config,
            static_cast<CUfunction>(call.kernel), parameters.data(), nullptr);
}

} // namespace llamarun
