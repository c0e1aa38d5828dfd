#include "compiler/draw/Drawing.h"

#include <algorithm>
#include <array>

using namespace llamac;

namespace {

struct Look {
  const char *name, *fill;
};
/// In the order of NodeKind. Light fills under black text; told apart by people
/// who are colour blind (after Okabe and Ito).
constexpr std::array<Look, kNodeKinds> kLooks = {{
    {"matrix product", "#9ccbec"},
    {"row kernel", "#cfe8d5"},
    {"attention", "#f6dd8f"},
    {"collective", "#f2a98c"},
    {"adapter", "#e3b9d6"},
    {"optimizer", "#c9c2ea"},
    {"weight", "#e6e6e6"},
    {"input", "#ffffff"},
    {"output", "#ffffff"},
    {"other", "#f4efe6"},
}};
constexpr const char *kStreams[] = {"#444444", "#d55e00", "#0072b2", "#009e73"};

/// A string of DOT. Graphviz takes a backslash for an escape in labels.
std::string quoted(const std::string &text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

/// The same over several lines.
std::string label(const Drawing::Node &node) {
  std::string out = quoted(node.title);
  out.pop_back();
  for (auto &line : node.lines)
    out.append("\\n").append(quoted(line), 1).pop_back();
  if (node.stream)
    out.append("\\nstream ").append(std::to_string(node.stream));
  return out + "\"";
}

std::string numbered(const char *name, std::size_t index) {
  return std::string(name).append(std::to_string(index));
}

void addNode(std::string &out, const Drawing &drawing, std::size_t index) {
  auto &node = drawing.nodes[index];
  const char *shape = node.kind == NodeKind::Weight   ? ", shape=cylinder"
                      : node.kind == NodeKind::Input  ? ", shape=invhouse"
                      : node.kind == NodeKind::Output ? ", shape=house"
                                                      : "";
  out += numbered("n", index) + " [label=" + label(node) + ", fillcolor=\"" +
         kLooks[static_cast<std::size_t>(node.kind)].fill + "\"" + shape;
  if (node.stream)
    out += std::string(", penwidth=2.5, color=\"") +
           kStreams[node.stream % std::size(kStreams)] + "\"";
  out += "];\n";
}

void addLegend(std::string &out, const Drawing &drawing) {
  std::array<bool, kNodeKinds> used{};
  for (auto &node : drawing.nodes)
    used[static_cast<std::size_t>(node.kind)] = true;
  out += "  subgraph cluster_legend { label=\"legend\"; color=\"#cccccc\";\n";
  std::string before;
  for (std::size_t kind = 0; kind < kNodeKinds; ++kind) {
    if (!used[kind])
      continue;
    std::string name = numbered("legend", kind);
    out += "    " + name + " [label=\"" + kLooks[kind].name +
           "\", fillcolor=\"" + kLooks[kind].fill + "\"];\n";
    if (!before.empty())
      out += "    " + before + " -> " + name + " [style=invis];\n";
    before = name;
  }
  out += "  }\n";
}

} // namespace

std::size_t Drawing::add(Node node) {
  nodes.push_back(std::move(node));
  return nodes.size() - 1;
}

void Drawing::connect(Edge edge) {
  // Only edges to one node, which come together, can be the same.
  for (auto at = edges.rbegin(); at != edges.rend() && at->to == edge.to; ++at)
    if (at->from == edge.from && at->label == edge.label &&
        at->waits == edge.waits)
      return;
  edges.push_back(std::move(edge));
}

std::size_t Drawing::clusterOf(const std::string &name) {
  auto at = std::find(clusters.begin(), clusters.end(), name);
  if (at == clusters.end())
    at = clusters.insert(at, name);
  return static_cast<std::size_t>(at - clusters.begin());
}

std::string llamac::toDot(const Drawing &drawing) {
  std::string out =
      "digraph " + quoted(drawing.title) +
      " {\n  graph [label=" + quoted(drawing.title) +
      ", labelloc=t, fontname=\"Helvetica\", fontsize=14, newrank=true];\n"
      "  node [shape=box, style=filled, fontname=\"Helvetica\", fontsize=10, "
      "color=\"#444444\"];\n"
      "  edge [fontname=\"Helvetica\", fontsize=8, color=\"#59636e\"];\n";
  addLegend(out, drawing);
  for (std::size_t cluster = 0; cluster < drawing.clusters.size(); ++cluster) {
    out += numbered("  subgraph cluster_", cluster) +
           " {\n    label=" + quoted(drawing.clusters[cluster]) +
           "; color=\"#8a8f98\"; style=rounded;\n";
    for (std::size_t i = 0; i < drawing.nodes.size(); ++i)
      if (drawing.nodes[i].cluster == cluster) {
        out += "    ";
        addNode(out, drawing, i);
      }
    out += "  }\n";
  }
  for (std::size_t i = 0; i < drawing.nodes.size(); ++i)
    if (drawing.nodes[i].cluster == Drawing::kNone) {
      out += "  ";
      addNode(out, drawing, i);
    }
  for (auto &edge : drawing.edges) {
    out += numbered("  n", edge.from) + numbered(" -> n", edge.to);
    if (edge.waits)
      out += " [style=dashed, constraint=false, label=\"waits\"]";
    else if (!edge.label.empty())
      out += " [label=" + quoted(edge.label) + "]";
    out += ";\n";
  }
  return out + "}\n";
}
