//===- JsonFile.h - JSON from files nobody vouches for ----------*- C++ -*-===//
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

namespace llamac {

/// An error "<path>: <what>".
llvm::Error fileError(llvm::StringRef path, const llvm::Twine &what);

/// Parses `text`, which came from `path` (named in errors), as one JSON object.
/// Refuses text nested deeper than any of our files, because llvm::json::parse
/// recurses. Errors give line and column.
llvm::Expected<llvm::json::Object> parseJsonObject(llvm::StringRef text,
                                                   llvm::StringRef path);

/// Reads and parses a file of at most `maxBytes`.
llvm::Expected<llvm::json::Object> readJsonObject(llvm::StringRef path,
                                                  uint64_t maxBytes);

/// `value` for an error message: its JSON text, cut short.
std::string briefly(const llvm::json::Value &value);

} // namespace llamac
