#include "runtime/device/Device.h"
#include "runtime/device/cpu/CpuDevice.h"
#include "runtime/device/cuda/CudaDevice.h"
#include "runtime/support/Error.h"

namespace llamarun {
namespace {

struct Entry {
  std::string_view kind;
  std::unique_ptr<Device> (*create)(const DeviceOptions &);
};

/// A new kind of device is one line here.
constexpr Entry kDevices[] = {
    {"cpu", createCpuDevice},
    {"cuda", createCudaDevice},
};

} // namespace

void Device::hostWork(StreamId, std::vector<DeviceRange>,
                      std::vector<DeviceRange>, std::function<void()>) {
  fail(ExitCode::BadInput, "device '", kind(), "' runs no host functions");
}

std::unique_ptr<Device> createDevice(std::string_view kind,
                                     const DeviceOptions &options) {
  std::string known;
  for (auto &entry : kDevices) {
    if (entry.kind == kind)
      return entry.create(options);
    known += (known.empty() ? "" : ", ") + std::string(entry.kind);
  }
  fail(ExitCode::Usage, "no device of kind '", kind,
       "' in this build (it has: ", known, ")");
}

} // namespace llamarun
