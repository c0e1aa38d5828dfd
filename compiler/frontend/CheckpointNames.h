//===- CheckpointNames.h - Tensor names of a HF checkpoint ------*- C++ -*-===//
//
// Just enough of safetensors and of its index to know which tensors there are.
// The runtime has the real reader, which checks dtypes, shapes and offsets.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Error.h"

#include <optional>
#include <string>

namespace llamac {

struct CheckpointNames {
  std::string path; ///< the file the names are from
  llvm::StringSet<> names;
};

/// Names in `<dir>/model.safetensors`, else in
/// `<dir>/model.safetensors.index.json` (the order Transformers looks in);
/// nullopt if there is neither. Fails if the file is malformed or the index
/// names a shard that is not there or not in this directory.
llvm::Expected<std::optional<CheckpointNames>>
readCheckpointNames(llvm::StringRef dir);

} // namespace llamac
