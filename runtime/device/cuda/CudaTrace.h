//===- CudaTrace.h - Device times of a GPU's work, by CUPTI ----*- C++ -*-===//
#pragma once

#include "runtime/device/DeviceTrace.h"
#include "runtime/device/cuda/CudaContext.h"

#include <functional>
#include <memory>
#include <string>

namespace llamarun {

/// Times of kernels, copies and fills from CUPTI's activity records, which the
/// GPU writes; CUPTI brings them to the host's clock (traceClock).
/// \param tag whose work is being captured now.
/// \returns null where CUPTI is missing or may not be used, and `why`.
std::unique_ptr<DeviceTrace> makeCudaTrace(const CudaContext &context,
                                           std::function<WorkTag()> tag,
                                           std::string &why);

} // namespace llamarun
