#include "runtime/device/cuda/CudaDevice.h"

#include "runtime/device/FillPattern.h"
#include "runtime/device/cuda/CudaBlas.h"
#include "runtime/device/cuda/CudaCode.h"
#include "runtime/device/cuda/CudaContext.h"
#include "runtime/device/cuda/CudaLaunch.h"
#include "runtime/device/cuda/CudaMemory.h"
#include "runtime/device/cuda/CudaStreams.h"
#include "runtime/support/Error.h"

#include <cstring>

namespace llamarun {
namespace {

class CudaDevice final : public Device {
public:
  explicit CudaDevice(const DeviceOptions &options)
      : context(options.ordinal), memory(context), streams(context) {}

  std::string_view kind() const override { return "cuda"; }
  std::string name() const override {
    return context.name() + ", cuBLASLt " + std::to_string(blas.version());
  }

  std::uint64_t alignment() const override { return CudaMemory::kAlignment; }
  MemoryInfo memoryInfo() const override { return memory.info(); }
  void *allocate(std::uint64_t bytes, std::uint64_t alignment,
                 fb::Category category) override {
    return memory.allocate(streams.get(0), bytes, alignment, category);
  }
  void free(void *pointer) override { memory.free(pointer); }
  std::uint64_t allocatedBytes(fb::Category category) const override {
    return memory.allocated(category);
  }
  void setWorkspace(void *pointer, std::uint64_t bytes) override {
    workspace = {pointer, bytes};
  }

  void copyToDevice(void *target, const void *source,
                    std::uint64_t bytes) override {
    if (!bytes)
      return;
    synchronize();
    LLAMAC_CU(context.use(), cuMemcpyHtoDAsync, addressOf(target), source,
              bytes, streams.get(0));
    LLAMAC_CU(context.use(), cuStreamSynchronize, streams.get(0));
  }
  void copyFromDevice(void *target, const void *source,
                      std::uint64_t bytes) override {
    if (!bytes)
      return;
    synchronize();
    LLAMAC_CU(context.use(), cuMemcpyDtoHAsync, target, addressOf(source),
              bytes, streams.get(0));
    LLAMAC_CU(context.use(), cuStreamSynchronize, streams.get(0));
  }

  CodeHandle loadCode(fb::CodeFormat format, std::string_view arch,
                      std::span<const std::byte> data) override {
    checkCudaArch(format, arch, context.major(), context.minor());
    codes.push_back(std::make_unique<CudaCode>(context.use(), format, data));
    return codes.back().get();
  }
  KernelHandle findKernel(CodeHandle code, const std::string &symbol) override {
    context.use();
    return static_cast<CudaCode *>(code)->find(symbol);
  }

  void prepareGemm(const GemmCall &call) override { blas.check(call); }
  void prepareLaunch(const LaunchCall &call) override {
    prepareCudaLaunch(context, call);
  }

  void gemm(StreamId stream, const GemmCall &call) override {
    context.use();
    blas.gemm(streams.get(stream), call, scratchOf(stream));
  }
  void launch(StreamId stream, const LaunchCall &call) override {
    cudaLaunch(context, streams.get(stream), call);
  }
  void copy(StreamId stream, DeviceRange target, DeviceRange source) override {
    LLAMAC_CU(context.use(), cuMemcpyDtoDAsync, addressOf(target.pointer),
              addressOf(source.pointer), target.bytes, streams.get(stream));
  }
  void fill(StreamId stream, DeviceRange target, fb::DType dtype,
            double value) override {
    auto pattern = fillPattern(dtype, value);
    auto count = target.bytes / pattern.size;
    auto address = addressOf(target.pointer);
    auto &cuda = context.use();
    auto *on = streams.get(stream);
    std::uint32_t words[2];
    std::memcpy(words, pattern.bytes, sizeof words);
    if (pattern.size == 1)
      LLAMAC_CU(cuda, cuMemsetD8Async, address, pattern.bytes[0], count, on);
    else if (pattern.size == 2)
      LLAMAC_CU(cuda, cuMemsetD16Async, address,
                static_cast<unsigned short>(words[0]), count, on);
    else if (pattern.size == 4)
      LLAMAC_CU(cuda, cuMemsetD32Async, address, words[0], count, on);
    else if (words[0] == words[1])
      LLAMAC_CU(cuda, cuMemsetD32Async, address, words[0], 2 * count, on);
    else // eight bytes: every other word, twice
      for (unsigned half = 0; half < 2; ++half)
        LLAMAC_CU(cuda, cuMemsetD2D32Async, address + 4 * half, 8, words[half],
                  1, count, on);
  }

  EventId recordEvent(StreamId stream) override {
    return streams.recordEvent(stream);
  }
  void waitEvent(StreamId stream, EventId event) override {
    streams.waitEvent(stream, event);
  }
  void beginCapture(unsigned count) override { streams.beginCapture(count); }
  std::unique_ptr<Graph> endCapture() override { return streams.endCapture(); }
  void run(Graph &graph) override {
    static_cast<CudaGraph &>(graph).launch(streams.get(0));
  }
  void synchronize() override { LLAMAC_CU(context.use(), cuCtxSynchronize); }

private:
  /// The part of the workspace that only `stream` uses.
  DeviceRange scratchOf(StreamId stream) const {
    auto part = workspace.bytes / streams.count() / 256 * 256;
    if (!part)
      return {};
    return {static_cast<char *>(workspace.pointer) + stream * part, part};
  }

  CudaContext context; // first: everything else lives in it
  CudaMemory memory;
  CudaStreams streams;
  CudaBlas blas;
  std::vector<std::unique_ptr<CudaCode>> codes;
  DeviceRange workspace;
};

} // namespace

std::unique_ptr<Device> createCudaDevice(const DeviceOptions &options) {
  return std::make_unique<CudaDevice>(options);
}

} // namespace llamarun
