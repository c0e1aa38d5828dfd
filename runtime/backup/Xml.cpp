#include "runtime/backup/Xml.h"

#include "runtime/support/Error.h"

#include <pugixml.hpp>

namespace llamarun {

const XmlNode &XmlNode::child(std::string_view wanted) const {
  static const XmlNode none;
  for (auto &node : children)
    if (node.name == wanted)
      return node;
  return none;
}

static XmlNode copyOf(const pugi::xml_node &from, const std::string &source,
                      int depth) {
  if (depth > 32)
    fail(ExitCode::BadInput, source, ": the XML is nested too deep");
  XmlNode node;
  std::string_view name = from.name();
  node.name = name.substr(name.find(':') + 1); // npos + 1 is 0
  node.value = from.text().get();
  for (auto &child : from.children())
    if (child.type() == pugi::node_element)
      node.children.push_back(copyOf(child, source, depth + 1));
  return node;
}

XmlNode parseXml(std::string_view text, const std::string &source) {
  pugi::xml_document document;
  auto result =
      document.load_buffer(text.data(), text.size(), pugi::parse_default);
  if (!result || !document.document_element())
    fail(ExitCode::BadInput, source,
         ": no XML: ", result ? "empty" : result.description());
  return copyOf(document.document_element(), source, 0);
}

std::string xmlEscape(std::string_view text) {
  std::string escaped;
  for (char c : text)
    switch (c) {
    case '&':
      escaped += "&amp;";
      break;
    case '<':
      escaped += "&lt;";
      break;
    case '>':
      escaped += "&gt;";
      break;
    case '"':
      escaped += "&quot;";
      break;
    default:
      escaped += c;
    }
  return escaped;
}

} // namespace llamarun
