//===- CudaCode.h - Generated code as cubin or PTX -------------*- C++ -*-===//
#pragma once

#include "runtime/device/Device.h"
#include "runtime/device/cuda/CudaDriver.h"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace llamarun {

/// \throws Error(BadInput) unless code of `format` for `arch` ("sm_90",
/// "sm_90a") runs on a GPU of compute capability major.minor: machine code
/// needs the same major and no later minor, PTX any earlier capability, and
/// the suffixes a and f tie both to their own (a) or their own major (f).
void checkCudaArch(fb::CodeFormat format, std::string_view arch, int major,
                   int minor);

/// \throws Error(BadInput) unless every header, section and segment of the ELF
/// file lies inside `data`: the driver takes a cubin without its length.
void checkCubin(std::span<const std::byte> data);

/// A module in the current context; unloaded on destruction.
class CudaCode {
public:
  /// \throws Error(BadInput) with the driver's own log.
  CudaCode(const CudaDriver &driver, fb::CodeFormat format,
           std::span<const std::byte> data);
  ~CudaCode();
  CudaCode(const CudaCode &) = delete;
  CudaCode &operator=(const CudaCode &) = delete;

  /// \throws Error(BadInput) if there is no such function.
  CUfunction find(const std::string &symbol) const;

private:
  const CudaDriver &driver;
  CUmodule module = nullptr;
};

} // namespace llamarun
