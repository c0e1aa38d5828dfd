//===- BadGradients.h - Which gradient is not finite -----------*- C++ -*-===//
#pragma once

#include "runtime/executor/Session.h"
#include "runtime/train/Ranks.h"

#include <string>

namespace llamarun {

/// "; the gradient of 'a' is not finite, nor are 3 others" in the order of the
/// plan, or "" if all are. All ranks call it, each for what it holds, and get
/// the same text. Waits for the device.
std::string namesOfBadGradients(Session &session, const Ranks &ranks);

/// Whether all parameters of all ranks are finite. All ranks call it.
bool parametersAreFinite(Session &session, const Ranks &ranks);

} // namespace llamarun
