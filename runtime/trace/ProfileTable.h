//===- ProfileTable.h - A profile for people and programs ------*- C++ -*-===//
#pragma once

#include "runtime/trace/ProfileSummary.h"

#include <cstdio>
#include <optional>
#include <string>

namespace llamarun {

/// What was traced where.
struct ProfileContext {
  std::string plan, hash, device, weights, data;
  std::string source; ///< of the times
  std::string note;   ///< why they are not the best there could be
  Ceilings ceilings;
  double clockError = 0; ///< seconds, the largest of the ranks
  /// With tracing / without, from steps taken in turns; minus 1.
  std::optional<double> overhead;
};

/// \param lines of the table at most; the rest is one more.
void printProfileTable(std::FILE *out, const ProfileContext &context,
                       const ProfileSummary &summary, std::size_t lines);
/// The same as one JSON object, every line of the table in it.
std::string profileJson(const ProfileContext &context,
                        const ProfileSummary &summary);

} // namespace llamarun
