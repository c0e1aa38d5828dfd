//===- S3Flags.h - Flags of every command that talks to S3 -----*- C++ -*-===//
#pragma once

#include "runtime/backup/S3Connection.h"

#include <CLI/CLI.hpp>
#include <string>

namespace llamarun {

/// Names are the AWS command line's. No flag takes a key: those come from where
/// the AWS tools look for them.
struct S3Flags {
  S3Settings given;

  void addTo(CLI::App &app);
  /// With what the environment and the profile say.
  S3Settings settings() const {
    return resolveS3Settings(given, awsEnvironment());
  }
};

} // namespace llamarun
