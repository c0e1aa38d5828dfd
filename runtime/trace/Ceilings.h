//===- Ceilings.h - What a device does at best -----------------*- C++ -*-===//
#pragma once

namespace llamarun {

/// The limits of a device, for fractions of the floor; 0 where not known.
struct Ceilings {
  double bytesPerSecond = 0; ///< of a large copy, read plus written
  double flopsPerSecond = 0; ///< of a large matrix product

  /// The least seconds of so much work; 0 where not known.
  double floor(double bytes, double flops) const {
    double moved = bytesPerSecond > 0 ? bytes / bytesPerSecond : 0;
    double done = flopsPerSecond > 0 ? flops / flopsPerSecond : 0;
    return moved > done ? moved : done;
  }
};

} // namespace llamarun
