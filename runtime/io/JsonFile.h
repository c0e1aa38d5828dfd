//===- JsonFile.h - Small JSON files of untrusted origin -------*- C++ -*-===//
//
// Syntax, size and depth are checked before a document exists; values are read
// through accessors whose errors name the file and the key.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace llamarun {

/// A parsed JSON object. Accessors treat a missing key and JSON null alike and
/// give the default for both, as Python dataclasses read from JSON do.
class JsonFile {
public:
  /// Reads `path`, at most `maxBytes` long, nested at most 64 deep, whose top
  /// level is an object. Of duplicate keys the last counts (as in Python).
  /// \throws Error(BadInput) naming path and, for syntax errors, line and
  ///   column.
  static JsonFile open(const std::filesystem::path &path,
                       size_t maxBytes = size_t(16) << 20);

  /// The value under `key`, or null where it is missing.
  const nlohmann::json *find(const std::string &key) const;

  /// Typed access. \throws Error(BadInput) naming path, key, the type found
  /// and the one expected.
  bool getBool(const std::string &key, bool missing) const;
  int64_t getInt(const std::string &key, int64_t missing) const;
  double getNumber(const std::string &key, double missing) const;
  std::string getString(const std::string &key,
                        const std::string &missing) const;
  std::vector<std::string> getStrings(const std::string &key) const;
  std::map<std::string, double> getNumberMap(const std::string &key) const;
  std::map<std::string, std::string> getStringMap(const std::string &key) const;

  /// Error(BadInput): "<path>: key '<key>': <message>".
  [[noreturn]] void failKey(const std::string &key,
                            const std::string &message) const;
  [[noreturn]] void failType(const std::string &key, const char *expected,
                             const nlohmann::json &found) const;

  const std::filesystem::path &path() const { return filePath; }

private:
  std::filesystem::path filePath;
  nlohmann::json document;
};

} // namespace llamarun
