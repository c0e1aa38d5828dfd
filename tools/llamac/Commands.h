//===- Commands.h - The two things llamac does -----------------*- C++ -*-===//
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace llamac {

/// Exit codes of both tools (docs/cli.md).
enum ExitCode { kOk = 0, kUsage = 2, kBadInput = 3, kStorage = 6 };

/// Prints "llamac: error: ..." and returns `code`.
int report(llvm::Error error, int code);

/// A path that is a regular file, or nothing yet: not standard output ("-" or
/// /dev/stdout), a pipe or a device.
bool isPlainFile(llvm::StringRef path);

/// Writes a whole file beside its place and renames it: an older one stays if
/// anything fails. What is no plain file is written as it is.
int writeFile(llvm::StringRef path, llvm::StringRef bytes);

/// `llamac import <hf_dir> -o model.mlir`.
struct ImportCommand {
  std::string directory, output, name;
  int run() const;
};

/// `llamac model.mlir ... -o plan.fb`: the flags as text.
struct CompileCommand {
  std::string model, output;
  std::string reshardFrom; // empty: a plan that trains
  std::string adapter = "none", shard = "ddp1", task = "sst2", target = "cpu",
              arch, dtype, foldAdapters = "auto", compileTo = "plan",
              dumpPhases;
  std::string emit = "auto"; // by --compile-to and the output's name
  std::string emitProgram;   // to draw; empty: the largest that trains
  long batch = 8, maxLength = 128, accumulation = 1;
  std::vector<long> buckets;
  bool report = false, sequenceParallel = false;
  std::string probe; // empty: a plan that trains
  double probeThreshold = 0.01;
  int run() const;

private:
  /// Emits a module at level plan to `output`.
  int write(mlir::ModuleOp module) const;
  /// Draws a module at any level to `output`.
  int draw(mlir::ModuleOp module) const;
  bool draws() const { return emit == "dot" || emit == "svg"; }
};

} // namespace llamac
