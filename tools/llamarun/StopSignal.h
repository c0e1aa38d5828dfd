//===- StopSignal.h - SIGINT and SIGTERM as a question ---------*- C++ -*-===//
#pragma once

namespace llamarun {

/// From now on the first SIGINT or SIGTERM is only noted; the second one ends
/// the process as usual.
void watchStopSignals();

/// The signal that arrived, or 0.
int stopSignal();

} // namespace llamarun
