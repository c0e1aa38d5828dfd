//===- JsonFile.cpp - JSON from files nobody vouches for ------------------===//
#include "compiler/frontend/JsonFile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;

namespace llamac {

// config.json has 3 levels, a safetensors header 3.
static constexpr int kMaxDepth = 64;

Error fileError(StringRef path, const Twine &what) {
  return createStringError(inconvertibleErrorCode(), path + ": " + what);
}

/// Depth of the deepest bracket, strings left out. Malformed text may count
/// wrongly only where the parser stops as well.
static int depthOf(StringRef text) {
  int depth = 0, deepest = 0;
  bool inString = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (inString) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        inString = false;
    } else if (c == '"') {
      inString = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return deepest;
}

Expected<json::Object> parseJsonObject(StringRef text, StringRef path) {
  if (depthOf(text) > kMaxDepth)
    return fileError(path, "JSON is nested deeper than " + Twine(kMaxDepth));
  Expected<json::Value> value = json::parse(text);
  if (!value)
    return fileError(path, "not valid JSON: " + toString(value.takeError()));
  json::Object *object = value->getAsObject();
  if (!object)
    return fileError(path, "must be a JSON object");
  return std::move(*object);
}

Expected<json::Object> readJsonObject(StringRef path, uint64_t maxBytes) {
  sys::fs::file_status status;
  if (std::error_code error = sys::fs::status(path, status))
    return fileError(path, error.message());
  // A directory, a pipe or a device has no size to check.
  if (!sys::fs::is_regular_file(status))
    return fileError(path, "not a regular file");
  if (status.getSize() > maxBytes)
    return fileError(path, "has " + Twine(status.getSize()) +
                               " bytes, more than " + Twine(maxBytes));
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = MemoryBuffer::getFile(path);
  if (!buffer)
    return fileError(path, buffer.getError().message());
  return parseJsonObject((*buffer)->getBuffer(), path);
}

std::string briefly(const json::Value &value) {
  std::string text = formatv("{0}", value);
  if (text.size() > 60)
    text = text.substr(0, 57) + "...";
  return text;
}

} // namespace llamac
