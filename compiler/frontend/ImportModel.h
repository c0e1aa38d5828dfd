//===- ImportModel.h - Hugging Face directory -> model.mlir -----*- C++ -*-===//
#pragma once

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>

namespace llamac {

/// Imports `<dir>/config.json`: returns the text of model.mlir (ModelText.h),
/// parsed back and verified. `name` is the model's name; if empty, the
/// directory's. If the directory holds weights, their names must be those of
/// the model; if it holds none, a remark says so. Remarks for the user (no
/// weights found, float16 widened, ...) go to `remarks` if given. An error
/// names the file and the key or tensor.
llvm::Expected<std::string>
importHfDirectory(llvm::StringRef dir, llvm::StringRef name,
                  llvm::SmallVectorImpl<std::string> *remarks = nullptr);

} // namespace llamac
