//===- RankTable.h - Ranks by layer and projection on a page ---*- C++ -*-===//
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace llamarun {

/// A heat map as an HTML table: a row for each layer, a column for each
/// projection, cells of classes h0 (few) to h7 (many), numbers in them.
/// \param ranks {"q_proj": [6, 5], "o_proj": [null, 2], "score": 3}, as
///   metrics.jsonl has them.
std::string rankTable(const nlohmann::ordered_json &ranks);

} // namespace llamarun
