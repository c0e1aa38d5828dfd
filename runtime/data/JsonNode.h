//===- JsonNode.h - JSON values that know where they are --------*- C++ -*-===//
//
// Reading a foreign JSON file with messages that name the file and the member:
//   tokenizer.json: model.byte_fallback: expected true or false, found a string
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/support/Error.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llamarun {

/// Parses `path`. Throws BadInput naming the file if it is no JSON, not UTF-8,
/// larger than 64 MiB, nested deeper than 64 levels or made of more than 8
/// million values: what nests deeper or is larger is no tokenizer, and the
/// parsed form of hostile JSON takes twenty times its size.
nlohmann::json readJsonFile(const std::filesystem::path &path);

/// A view of one value; the document and `file` must outlive it.
class JsonNode {
public:
  JsonNode(const nlohmann::json &value, const std::string &file)
      : value(&value), file(&file) {}

  /// Member `key` of this object; throws if there is none.
  JsonNode at(std::string_view key) const;
  /// Member `key` of this object; nothing if it is absent or null.
  std::optional<JsonNode> find(std::string_view key) const;

  const nlohmann::json &object() const;
  const nlohmann::json &array() const;
  /// The entries of this list, at most a million.
  std::vector<JsonNode> elements() const;
  const std::string &string() const;
  bool boolean() const;
  /// A whole number in [0, limit).
  int32_t id(int32_t limit) const;

  bool booleanOr(std::string_view key, bool otherwise) const;
  bool isNull() const { return value->is_null(); }
  bool isString() const { return value->is_string(); }

  template <typename... Parts>
  [[noreturn]] void error(const Parts &...parts) const {
    fail(ExitCode::BadInput, *file, ": ", path, path.empty() ? "" : ": ",
         parts...);
  }
  const std::string &fileName() const { return *file; }

private:
  JsonNode child(const nlohmann::json &value, std::string step) const;
  [[noreturn]] void expected(std::string_view what) const;

  const nlohmann::json *value;
  const std::string *file;
  std::string path;
};

} // namespace llamarun
