//===- ProbeFile.h - What llamarun probe has written -----------*- C++ -*-===//
#pragma once

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>
#include <vector>

namespace llamac {

/// One statistic of every module of a probe.json (docs/probes.md).
class ProbeFile {
public:
  struct Module {
    double value = 0;
    int64_t out = 0, in = 0; ///< of the weight; 0 where the file does not say
  };

  /// \param statistic "part.name" as in the file: "weight_gradient.norm".
  /// Errors name the file and what is wrong in it: no JSON, another format, a
  /// statistic that it has not (with those it has), a value that is negative
  /// or no number.
  static llvm::Expected<ProbeFile> read(llvm::StringRef path,
                                        llvm::StringRef statistic);

  /// Null if the file has no such module.
  const Module *find(llvm::StringRef module) const;
  const std::string &path() const { return file; }

private:
  std::string file;
  llvm::StringMap<Module> modules;
};

} // namespace llamac
