//===- TraceNode.h - Reading the files of reference runs -------*- C++ -*-===//
//
// JSON numbers and lists, with messages that say where:
//   trace.json: steps[3].loss: expected a number
//
//===----------------------------------------------------------------------===//
#pragma once

#include "runtime/io/JsonFile.h"
#include "runtime/support/Error.h"

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

namespace llamarun {

/// A value of a document, and where it is, for messages.
struct TraceNode {
  const nlohmann::json &value;
  std::string where;

  [[noreturn]] void expected(const char *what) const {
    fail(ExitCode::BadInput, where, ": expected ", what);
  }
  TraceNode at(const char *key) const {
    if (!value.is_object() || !value.contains(key))
      fail(ExitCode::BadInput, where, ": key '", key, "' is missing");
    return {value[key], where + "." + key};
  }
  double number() const {
    if (!value.is_number())
      expected("a number");
    return value.get<double>();
  }
  double numberOr(const char *key, double missing) const {
    return value.is_object() && value.contains(key) ? at(key).number()
                                                    : missing;
  }
  std::vector<TraceNode> elements() const {
    if (!value.is_array())
      expected("a list");
    std::vector<TraceNode> nodes;
    for (std::size_t i = 0; i < value.size(); ++i)
      nodes.push_back({value[i], where + "[" + std::to_string(i) + "]"});
    return nodes;
  }
  std::vector<std::int32_t> ids() const {
    std::vector<std::int32_t> ids;
    for (auto &node : elements()) {
      double id = node.number();
      if (!(id >= 0 && id <= std::numeric_limits<std::int32_t>::max()) ||
          id != std::floor(id))
        node.expected("a token id");
      ids.push_back(static_cast<std::int32_t>(id));
    }
    if (ids.empty())
      expected("at least one token id");
    return ids;
  }
  /// A count that fits a double exactly.
  std::int64_t count() const {
    double n = number();
    if (!(n >= 0 && n < 0x1p53) || n != std::floor(n))
      expected("a whole number");
    return static_cast<std::int64_t>(n);
  }
};

/// A reference's file: one object that must have at least `key`.
class TraceDocument {
public:
  TraceDocument(const std::filesystem::path &file, const char *key)
      : file(JsonFile::open(file, std::size_t(256) << 20)),
        name(file.string()) {
    if (!this->file.find(key))
      this->file.failKey(key, "missing");
  }
  TraceNode at(const char *key) const {
    auto *value = file.find(key);
    if (!value)
      file.failKey(key, "missing");
    return {*value, name + ": " + key};
  }
  std::int32_t pad() const {
    std::int64_t pad = file.getInt("pad_token_id", -1);
    return pad < 0 || pad > std::numeric_limits<std::int32_t>::max()
               ? -1
               : static_cast<std::int32_t>(pad);
  }

private:
  JsonFile file;
  std::string name;
};

} // namespace llamarun
