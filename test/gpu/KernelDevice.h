//===- KernelDevice.h - Launches library kernels by themselves --*- C++ -*-===//
//
// For the test and the bench of compiler/kernels: loads their code through the
// driver, keeps buffers by name and launches a list as a plan would. Any error
// throws std::runtime_error. Header only; needs cuda.h and libcuda.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "compiler/kernels/LibraryKernels.h"

#include <algorithm>
#include <cuda.h>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace llamac::gpu {

inline void check(CUresult result, const char *what) {
  if (result == CUDA_SUCCESS)
    return;
  const char *name = nullptr;
  cuGetErrorName(result, &name);
  throw std::runtime_error(std::string(what) + ": " + (name ? name : "error"));
}

class KernelDevice {
public:
  explicit KernelDevice(bool ptx) : ptx(ptx) {
    CUdevice device;
    check(cuInit(0), "cuInit");
    check(cuDeviceGet(&device, 0), "cuDeviceGet");
    check(cuDevicePrimaryCtxRetain(&context, device), "context");
    check(cuCtxSetCurrent(context), "cuCtxSetCurrent");
    check(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), "stream");
  }

  /// Room for `bytes` at a multiple of 256; what was there under this name is
  /// freed.
  CUdeviceptr allocate(LibraryBuffer name, size_t bytes) {
    if (buffers.count(name))
      check(cuMemFree(buffers[name]), "cuMemFree");
    check(cuMemAlloc(&buffers[name], bytes), "cuMemAlloc");
    return buffers[name];
  }
  CUdeviceptr at(LibraryBuffer name) const { return buffers.at(name); }

  template <typename T>
  void write(LibraryBuffer name, const std::vector<T> &x) {
    check(cuMemcpyHtoD(allocate(name, x.size() * sizeof(T)), x.data(),
                       x.size() * sizeof(T)),
          "cuMemcpyHtoD");
    // It may return with the bytes still on their way, and `stream` does not
    // wait for the default stream.
    check(cuStreamSynchronize(nullptr), "cuMemcpyHtoD");
  }
  template <typename T> std::vector<T> read(LibraryBuffer name, size_t count) {
    std::vector<T> x(count);
    check(cuMemcpyDtoH(x.data(), at(name), count * sizeof(T)), "cuMemcpyDtoH");
    return x;
  }

  void launch(const LibraryLaunch &launch, bool programmatic = false) {
    std::vector<CUdeviceptr> pointers;
    for (LibraryBuffer name : launch.reads)
      pointers.push_back(at(name));
    for (LibraryBuffer name : launch.writes)
      pointers.push_back(at(name));
    launchAt(launch, pointers, programmatic);
  }
  /// The same with these pointers: one for each of reads, then of writes.
  void launchAt(const LibraryLaunch &launch, std::vector<CUdeviceptr> pointers,
                bool programmatic) {
    std::vector<int64_t> scalars = launch.scalars;
    std::vector<void *> parameters;
    for (CUdeviceptr &pointer : pointers)
      parameters.push_back(&pointer);
    for (int64_t &scalar : scalars)
      parameters.push_back(&scalar);
    CUlaunchAttribute attribute{};
    attribute.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
    attribute.value.programmaticStreamSerializationAllowed = 1;
    CUlaunchConfig config{};
    config.gridDimX = launch.grid[0];
    config.gridDimY = launch.grid[1];
    config.gridDimZ = launch.grid[2];
    config.blockDimX = launch.block[0];
    config.blockDimY = launch.block[1];
    config.blockDimZ = launch.block[2];
    config.sharedMemBytes = launch.sharedBytes;
    config.hStream = stream;
    config.attrs = &attribute;
    config.numAttrs = programmatic ? 1 : 0;
    check(
        cuLaunchKernelEx(&config, function(launch), parameters.data(), nullptr),
        launch.symbol.c_str());
  }
  void run(const std::vector<LibraryLaunch> &launches) {
    for (const LibraryLaunch &one : launches)
      launch(one);
    check(cuStreamSynchronize(stream), launches.front().symbol.c_str());
  }

  /// Median time of the list in microseconds: a graph of `repeats` lists,
  /// replayed `replays` times.
  double time(const std::vector<LibraryLaunch> &launches, int repeats,
              int replays, bool programmatic) {
    for (const LibraryLaunch &one : launches)
      function(one);
    return timeGraph(
        [&] {
          for (int i = 0; i < repeats; ++i)
            for (const LibraryLaunch &one : launches)
              launch(one, programmatic);
        },
        repeats, replays);
  }
  /// The same for a graph of what `enqueue` puts on the stream, divided by
  /// `repeats`. Code must have been loaded: a first run loads it.
  template <typename Enqueue>
  double timeGraph(Enqueue enqueue, int repeats, int replays) {
    CUgraph graph;
    CUgraphExec exec;
    check(cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_RELAXED),
          "capture");
    enqueue();
    check(cuStreamEndCapture(stream, &graph), "cuStreamEndCapture");
    check(cuGraphInstantiate(&exec, graph, 0), "cuGraphInstantiate");
    CUevent begin, end;
    check(cuEventCreate(&begin, 0), "cuEventCreate");
    check(cuEventCreate(&end, 0), "cuEventCreate");
    std::vector<float> times;
    for (int i = 0; i < replays + 3; ++i) {
      check(cuEventRecord(begin, stream), "cuEventRecord");
      check(cuGraphLaunch(exec, stream), "cuGraphLaunch");
      check(cuEventRecord(end, stream), "cuEventRecord");
      check(cuStreamSynchronize(stream), "replay");
      float ms;
      check(cuEventElapsedTime(&ms, begin, end), "cuEventElapsedTime");
      if (i >= 3)
        times.push_back(ms * 1000 / repeats);
    }
    cuGraphExecDestroy(exec);
    cuGraphDestroy(graph);
    std::nth_element(times.begin(), times.begin() + times.size() / 2,
                     times.end());
    return times[times.size() / 2];
  }

  CUstream queue() const { return stream; }

private:
  CUfunction function(const LibraryLaunch &launch) {
    auto &[found, sharedBytes] = functions[launch.symbol];
    if (!found) {
      CUmodule &module = modules[launch.module];
      if (!module) {
        auto code = libraryCode(launch.module, "sm_90", ptx);
        if (!code)
          throw std::runtime_error("no code for " + launch.module);
        check(cuModuleLoadData(&module, std::string(*code).c_str()),
              launch.module.c_str());
      }
      check(cuModuleGetFunction(&found, module, launch.symbol.c_str()),
            launch.symbol.c_str());
    }
    if (launch.sharedBytes > sharedBytes) {
      sharedBytes = launch.sharedBytes;
      check(cuFuncSetAttribute(found,
                               CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                               int(sharedBytes)),
            launch.symbol.c_str());
    }
    return found;
  }

  bool ptx;
  CUcontext context = nullptr;
  CUstream stream = nullptr;
  std::map<LibraryBuffer, CUdeviceptr> buffers;
  std::map<std::string, CUmodule> modules;
  std::map<std::string, std::pair<CUfunction, uint32_t>> functions;
};

} // namespace llamac::gpu
