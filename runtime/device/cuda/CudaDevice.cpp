#include "runtime/device/cuda/CudaDevice.h"

#include "runtime/device/FillPattern.h"
#include "runtime/device/cuda/CudaAccess.h"
#include "runtime/device/cuda/CudaBlas.h"
#include "runtime/device/cuda/CudaCode.h"
#include "runtime/device/cuda/CudaContext.h"
#include "runtime/device/cuda/CudaLaunch.h"
#include "runtime/device/cuda/CudaMemory.h"
#include "runtime/device/cuda/CudaSnapshot.h"
#include "runtime/device/cuda/CudaStreams.h"
#include "runtime/device/cuda/CudaTrace.h"
#include "runtime/support/Error.h"

#include <cstring>

namespace llamarun {
namespace {

class CudaDevice final : public Device, public CudaAccess {
public:
  explicit CudaDevice(const DeviceOptions &options)
      : context(options.ordinal), memory(context), streams(context),
        blas(context, streams.get(0), options), fence(context),
        snapshots(context) {}

  const CudaContext &cudaContext() const override { return context; }
  // An event between our kernel and the library's: outside a capture nothing
  // else keeps the library's from starting early (CudaStreams::startsEarly).
  CUstream cudaStream(StreamId stream) override {
    if (streams.endsInKernel(stream) && !streams.isCapturing())
      streams.record(fence, stream);
    return streams.get(stream);
  }
  // A library may have put in more than one kernel.
  void cudaEnqueued(StreamId stream) override {
    streams.endsInKernel(stream, false);
  }

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
  void *allocateShared(std::uint64_t bytes, std::uint64_t alignment,
                       fb::Category category) override {
    return memory.allocateShared(streams.get(0), bytes, alignment, category);
  }
  void free(void *pointer) override { memory.free(pointer); }
  std::uint64_t allocatedBytes(fb::Category category) const override {
    return memory.allocated(category);
  }
  void setWorkspace(void *pointer, std::uint64_t bytes,
                    unsigned count) override {
    workspace = {pointer, bytes / count / 256 * 256};
    workspaces = count;
  }

  void copyRowsToDevice(void *target, std::uint64_t pitch, const void *source,
                        std::uint64_t width, std::uint64_t rows) override {
    synchronize();
    cudaCopyRowsIn(context, streams.get(0), target, pitch, source, width, rows);
    LLAMAC_CU(context.use(), cuStreamSynchronize, streams.get(0));
  }
  void copyRowsFromDevice(void *target, const void *source, std::uint64_t pitch,
                          std::uint64_t width, std::uint64_t rows) override {
    synchronize();
    cudaCopyRowsOut(context, streams.get(0), target, source, pitch, width,
                    rows);
    LLAMAC_CU(context.use(), cuStreamSynchronize, streams.get(0));
  }

  bool isAsynchronous() const override { return true; }
  void *allocateStaging(std::uint64_t bytes) override {
    return cudaAllocateStaging(context, bytes);
  }
  void freeStaging(void *pointer) override {
    if (!abandoned) // it waits for work
      context.useQuietly().cuMemFreeHostFn(pointer);
  }
  void enqueueRowsToDevice(void *target, std::uint64_t pitch,
                           const void *source, std::uint64_t width,
                           std::uint64_t rows) override {
    cudaCopyRowsIn(context, streams.get(0), target, pitch, source, width, rows);
    streams.endsInKernel(0, false);
  }
  void enqueueFromDevice(void *target, const void *source,
                         std::uint64_t bytes) override {
    cudaCopyRowsOut(context, streams.get(0), target, source, bytes, bytes, 1);
    streams.endsInKernel(0, false);
  }

  std::unique_ptr<Snapshot>
  snapshot(std::span<const DeviceRows> parts) override {
    return snapshots.make(streams, parts);
  }

  std::unique_ptr<Mark> makeMark() override {
    return std::make_unique<CudaMark>(context);
  }
  void record(Mark &mark, StreamId stream) override {
    streams.record(static_cast<CudaMark &>(mark), stream);
  }
  void wait(Mark &mark) override { static_cast<CudaMark &>(mark).wait(); }
  bool isReached(Mark &mark) override {
    return static_cast<CudaMark &>(mark).isReached();
  }
  double secondsBetween(Mark &from, Mark &to) override {
    return static_cast<CudaMark &>(to).secondsSince(
        static_cast<CudaMark &>(from));
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

  void prepareGemm(const GemmCall &call) override {
    CudaProduct::check(call);
    synchronize(); // what runs beside it would be timed with it
    blas.prepare(call, scratchOf(0));
  }
  void finishPreparation() override {
    context.use();
    blas.finishPreparation();
  }
  void prepareLaunch(const LaunchCall &call) override {
    prepareCudaLaunch(context, call);
  }

  void gemm(StreamId stream, const GemmCall &call) override {
    context.use();
    blas.gemm(streams.get(stream), call, scratchOf(stream));
    streams.endsInKernel(stream, true);
  }
  void launch(StreamId stream, const LaunchCall &call) override {
    auto *on = streams.get(stream);
    bool early = call.programmatic && streams.endsInKernel(stream);
    if (early)
      streams.startsEarly(static_cast<CUfunction>(call.kernel));
    cudaLaunch(context, on, call, early);
    streams.endsInKernel(stream, true);
  }
  void copy(StreamId stream, DeviceRange target, DeviceRange source) override {
    LLAMAC_CU(context.use(), cuMemcpyDtoDAsync, addressOf(target.pointer),
              addressOf(source.pointer), target.bytes, streams.get(stream));
    streams.endsInKernel(stream, false);
  }
  void fill(StreamId stream, DeviceRange target, fb::DType dtype,
            double value) override {
    auto pattern = fillPattern(dtype, value);
    auto count = target.bytes / pattern.size;
    auto address = addressOf(target.pointer);
    auto &cuda = context.use();
    auto *on = streams.get(stream);
    streams.endsInKernel(stream, false);
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
  void tagWork(WorkTag tag) override { currentTag = tag; }
  std::unique_ptr<DeviceTrace> makeTrace(std::string &why) override {
    return makeCudaTrace(
        context, [this] { return currentTag; }, why);
  }
  void abandon() noexcept override {
    abandoned = true;
    context.abandon();
    memory.abandon();
    snapshots.abandon();
  }

private:
  /// The part of the workspace that only `stream` uses.
  DeviceRange scratchOf(StreamId stream) const {
    if (stream >= workspaces || !workspace.bytes)
      return {};
    return {static_cast<char *>(workspace.pointer) + stream * workspace.bytes,
            workspace.bytes};
  }

  CudaContext context; // first: everything else lives in it
  CudaMemory memory;
  CudaStreams streams;
  CudaBlas blas;
  CudaMark fence;
  CudaSnapshots snapshots;
  std::vector<std::unique_ptr<CudaCode>> codes;
  DeviceRange workspace;   ///< of stream 0; the others' follow
  unsigned workspaces = 0; ///< streams that have one
  bool abandoned = false;
  WorkTag currentTag = kNoTag;
};

} // namespace

std::unique_ptr<Device> createCudaDevice(const DeviceOptions &options) {
  return std::make_unique<CudaDevice>(options);
}

} // namespace llamarun
