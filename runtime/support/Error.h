//===- Error.h - The one error type of the runtime -------------*- C++ -*-===//
//
// The runtime reports errors as values or as this exception; it never calls
// exit(). tools/llamarun turns the code into the process's exit code.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace llamarun {

/// Exit codes of both tools; docs/cli.md has the same table.
enum class ExitCode : int {
  Ok = 0,
  Usage = 2,      ///< unknown flag, bad value
  BadInput = 3,   ///< a file that is malformed, missing or does not match
  DoesNotFit = 4, ///< memory the plan needs is not there
  PeerLost = 5,   ///< another rank died or hangs
  Storage = 6,    ///< cannot write: read-only, disk full
  Numerics = 7,   ///< NaN or infinity in loss or gradient
};

/// Carries an exit code and one message that names file and line or tensor.
class Error : public std::runtime_error {
public:
  Error(ExitCode code, const std::string &message)
      : std::runtime_error(message), exitCode(code) {}
  ExitCode code() const { return exitCode; }

private:
  ExitCode exitCode;
};

/// Throws an Error whose message is all of `parts` streamed one after another:
/// fail(ExitCode::BadInput, path, ":", line, ": bad label '", label, "'").
template <typename... Parts>
[[noreturn]] void fail(ExitCode code, const Parts &...parts) {
  std::ostringstream message;
  (message << ... << parts);
  throw Error(code, message.str());
}

} // namespace llamarun
