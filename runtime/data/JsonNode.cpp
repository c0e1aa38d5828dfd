#include "runtime/data/JsonNode.h"

#include "runtime/data/TextFile.h"
#include "runtime/data/Utf8.h"

namespace llamarun {

static constexpr size_t kMaxBytes = size_t(64) << 20;
static constexpr size_t kMaxDepth = 64;
static constexpr size_t kMaxValues = 8'000'000;
static constexpr size_t kMaxElements = 1'000'000;

/// Bounds the cost of the parsed form before there is one.
static void checkShape(std::string_view text, const std::string &file) {
  size_t depth = 0, values = 1;
  bool inString = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (inString) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        inString = false;
      continue;
    }
    switch (c) {
    case '"':
      inString = true;
      break;
    case '[':
    case '{':
      if (++depth > kMaxDepth)
        fail(ExitCode::BadInput, file, ": JSON is nested deeper than ",
             kMaxDepth, " levels (byte ", i, ")");
      [[fallthrough]];
    case ',':
      if (++values > kMaxValues)
        fail(ExitCode::BadInput, file, ": JSON has more than ", kMaxValues,
             " values");
      break;
    case ']':
    case '}':
      // Too many are the parser's to report.
      depth -= depth > 0;
      break;
    }
  }
}

nlohmann::json readJsonFile(const std::filesystem::path &path) {
  std::string text = readWholeFile(path, kMaxBytes);
  checkShape(text, path.string());
  if (size_t at = findInvalidUtf8(text); at != std::string::npos)
    fail(ExitCode::BadInput, path.string(), ": is not valid UTF-8 (byte ", at,
         ")");
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception &error) {
    fail(ExitCode::BadInput, path.string(), ": is not JSON: ", error.what());
  }
}

JsonNode JsonNode::child(const nlohmann::json &member, std::string step) const {
  JsonNode node(member, *file);
  node.path = path + step;
  return node;
}

void JsonNode::expected(std::string_view what) const {
  error("expected ", what, ", found ",
        value->is_null() ? "null" : std::string("a ") + value->type_name());
}

std::optional<JsonNode> JsonNode::find(std::string_view key) const {
  const nlohmann::json &members = object();
  auto member = members.find(std::string(key));
  if (member == members.end() || member->is_null())
    return std::nullopt;
  std::string step(path.empty() ? "" : ".");
  return child(*member, step.append(key));
}

JsonNode JsonNode::at(std::string_view key) const {
  std::optional<JsonNode> member = find(key);
  if (!member)
    error("has no \"", key, "\"");
  return *member;
}

const nlohmann::json &JsonNode::object() const {
  if (!value->is_object())
    expected("an object");
  return *value;
}

const nlohmann::json &JsonNode::array() const {
  if (!value->is_array())
    expected("a list");
  return *value;
}

std::vector<JsonNode> JsonNode::elements() const {
  std::vector<JsonNode> nodes;
  if (array().size() > kMaxElements)
    error("has more than ", kMaxElements, " entries");
  for (const nlohmann::json &element : array())
    nodes.push_back(child(
        element,
        std::string("[").append(std::to_string(nodes.size())).append("]")));
  return nodes;
}

const std::string &JsonNode::string() const {
  if (!value->is_string())
    expected("a string");
  return value->get_ref<const std::string &>();
}

bool JsonNode::boolean() const {
  if (!value->is_boolean())
    expected("true or false");
  return value->get<bool>();
}

int32_t JsonNode::id(int32_t limit) const {
  if (!value->is_number_unsigned() ||
      value->get<uint64_t>() >= static_cast<uint64_t>(limit))
    error("expected a whole number below ", limit, ", found ",
          value->is_number() ? value->dump() : value->type_name());
  return static_cast<int32_t>(value->get<uint64_t>());
}

bool JsonNode::booleanOr(std::string_view key, bool otherwise) const {
  std::optional<JsonNode> member = find(key);
  return member ? member->boolean() : otherwise;
}

} // namespace llamarun
