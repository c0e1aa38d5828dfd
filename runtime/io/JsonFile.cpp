//===- JsonFile.cpp - Small JSON files of untrusted origin ----------------===//
#include "runtime/io/JsonFile.h"

#include "runtime/io/MappedFile.h"
#include "runtime/io/QuoteName.h"
#include "runtime/support/Error.h"

#include <algorithm>

namespace llamarun {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 64;

std::string lineAndColumn(std::string_view text, size_t byte) {
  std::string_view before = text.substr(0, std::min(byte, text.size()));
  size_t line = 1 + std::count(before.begin(), before.end(), '\n');
  size_t lineStart = before.rfind('\n');
  size_t column =
      before.size() - (lineStart == before.npos ? 0 : lineStart + 1);
  return std::to_string(line) + ":" +
         std::to_string(std::max<size_t>(column, 1));
}

} // namespace

JsonFile JsonFile::open(const std::filesystem::path &path, size_t maxBytes) {
  MappedFile mapped = MappedFile::open(path);
  std::string_view text = mapped.text();
  if (text.size() > maxBytes)
    fail(ExitCode::BadInput, path.string(), ": ", text.size(),
         " bytes are more than the ", maxBytes, " allowed for this file");
  // The parser takes a NUL for the end of the text.
  if (size_t nul = text.find('\0'); nul != text.npos)
    fail(ExitCode::BadInput, path.string(), ":", lineAndColumn(text, nul + 1),
         ": NUL byte in JSON");

  JsonFile file;
  file.filePath = path;
  auto guardDepth = [&](int depth, json::parse_event_t, json &) {
    if (depth > kMaxDepth)
      fail(ExitCode::BadInput, path.string(), ": JSON nested deeper than ",
           kMaxDepth, " levels");
    return true;
  };
  try {
    file.document = json::parse(text, guardDepth);
  } catch (const json::parse_error &error) {
    fail(ExitCode::BadInput, path.string(), ":",
         lineAndColumn(text, error.byte), ": malformed JSON");
  } catch (const json::exception &) { // a number too large for a double
    fail(ExitCode::BadInput, path.string(), ": JSON number out of range");
  }
  if (!file.document.is_object())
    fail(ExitCode::BadInput, path.string(), ": expected a JSON object, found ",
         file.document.type_name());
  return file;
}

const json *JsonFile::find(const std::string &key) const {
  auto it = document.find(key);
  return it == document.end() || it->is_null() ? nullptr : &*it;
}

void JsonFile::failKey(const std::string &key,
                       const std::string &message) const {
  fail(ExitCode::BadInput, filePath.string(), ": key ", quoteName(key), ": ",
       message);
}

void JsonFile::failType(const std::string &key, const char *expected,
                        const json &found) const {
  failKey(key,
          std::string("expected ") + expected + ", found " + found.type_name());
}

bool JsonFile::getBool(const std::string &key, bool missing) const {
  const json *value = find(key);
  if (!value)
    return missing;
  if (!value->is_boolean())
    failType(key, "true or false", *value);
  return value->get<bool>();
}

int64_t JsonFile::getInt(const std::string &key, int64_t missing) const {
  const json *value = find(key);
  if (!value)
    return missing;
  if (!value->is_number_integer())
    failType(key, "an integer", *value);
  if (value->is_number_unsigned() && value->get<uint64_t>() > INT64_MAX)
    failKey(key, "integer out of range");
  return value->get<int64_t>();
}

double JsonFile::getNumber(const std::string &key, double missing) const {
  const json *value = find(key);
  if (!value)
    return missing;
  if (!value->is_number())
    failType(key, "a number", *value);
  return value->get<double>();
}

std::string JsonFile::getString(const std::string &key,
                                const std::string &missing) const {
  const json *value = find(key);
  if (!value)
    return missing;
  if (!value->is_string())
    failType(key, "a string", *value);
  return value->get<std::string>();
}

std::vector<std::string> JsonFile::getStrings(const std::string &key) const {
  const json *value = find(key);
  if (!value)
    return {};
  if (!value->is_array())
    failType(key, "a list of strings", *value);
  std::vector<std::string> strings;
  for (const json &element : *value) {
    if (!element.is_string())
      failType(key, "strings in the list", element);
    strings.push_back(element.get<std::string>());
  }
  return strings;
}

std::map<std::string, double>
JsonFile::getNumberMap(const std::string &key) const {
  const json *value = find(key);
  if (!value)
    return {};
  if (!value->is_object())
    failType(key, "an object of numbers", *value);
  std::map<std::string, double> numbers;
  for (const auto &[name, element] : value->items()) {
    if (!element.is_number())
      failType(key, "numbers in the object", element);
    numbers.emplace(name, element.get<double>());
  }
  return numbers;
}

std::map<std::string, std::string>
JsonFile::getStringMap(const std::string &key) const {
  const json *value = find(key);
  if (!value)
    return {};
  if (!value->is_object())
    failType(key, "an object of strings", *value);
  std::map<std::string, std::string> strings;
  for (const auto &[name, element] : value->items()) {
    if (!element.is_string())
      failType(key, "strings in the object", element);
    strings.emplace(name, element.get<std::string>());
  }
  return strings;
}

} // namespace llamarun
