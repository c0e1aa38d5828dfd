//===- Xml.h - S3's answers ------------------------------------*- C++ -*-===//
//
// On pugixml, which knows no entities but XML's own and follows no reference.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace llamarun {

/// An element. One that is not there is empty: no name, no children.
struct XmlNode {
  std::string name; ///< without a namespace's prefix
  std::string value;
  std::vector<XmlNode> children;

  const XmlNode &child(std::string_view name) const;
  const std::string &text(std::string_view name) const {
    return child(name).value;
  }
};

/// The document's element. \throws Error(BadInput) "<source>: no XML" if it is
/// malformed, cut off or nested more than 32 deep.
XmlNode parseXml(std::string_view text, const std::string &source);

/// For text between tags.
std::string xmlEscape(std::string_view text);

} // namespace llamarun
