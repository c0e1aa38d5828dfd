//===- Drawing.h - A program as boxes and arrows ---------------*- C++ -*-===//
//
// What a picture of a program needs, whatever level of IR it comes from, and
// how it becomes Graphviz's language. Knows no MLIR.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace llamac {

/// What a box stands for; each has a colour.
enum class NodeKind {
  Gemm,
  RowKernel,
  Attention,
  Collective,
  Adapter,   ///< parameters, and products with them
  Optimizer, ///< clipping, AdamW, allocation of ranks
  Weight,
  Input,
  Output,
  Other,
};
inline constexpr std::size_t kNodeKinds = 10;

struct Drawing {
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  struct Node {
    std::string title;
    std::vector<std::string> lines; ///< below the title, smaller things last
    NodeKind kind = NodeKind::Other;
    std::size_t cluster = kNone;
    unsigned stream = 0;
  };
  struct Edge {
    std::size_t from, to;
    std::string label;  ///< what flows; empty: seen from the boxes
    bool waits = false; ///< an order between streams, no data
  };

  std::string title; ///< of the program
  std::vector<Node> nodes;
  std::vector<Edge> edges;
  std::vector<std::string> clusters; ///< their labels, in order

  /// The index of a node that is added.
  std::size_t add(Node node);
  /// Adds an edge unless there is the same.
  void connect(Edge edge);
  /// The cluster of that label, added if there is none.
  std::size_t clusterOf(const std::string &label);
};

/// A graph in Graphviz's language: clusters as frames, kinds as colours with a
/// legend of those that occur, streams other than 0 as thick frames, order
/// between streams as dashed arrows. Text is escaped: nothing of it is DOT.
std::string toDot(const Drawing &drawing);

} // namespace llamac
