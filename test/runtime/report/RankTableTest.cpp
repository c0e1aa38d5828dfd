#include "runtime/report/RankTable.h"

#include <gtest/gtest.h>

namespace llamarun {
namespace {

TEST(RankTable, HasACellForEachMatrix) {
  auto table = rankTable(nlohmann::ordered_json::parse(
      R"({"q_proj": [8, 0], "<b>": [null, 4], "score": 2})"));
  EXPECT_NE(table.find("<th>q</th><th>&lt;b&gt;</th>"), table.npos);
  EXPECT_NE(table.find("<tr><th>0</th><td class=\"h7\">8</td><td></td></tr>"),
            table.npos);
  EXPECT_NE(table.find("<tr><th>1</th><td class=\"h0\">0</td>"
                       "<td class=\"h3\">4</td></tr>"),
            table.npos);
  EXPECT_NE(table.find("<th>score</th><td class=\"h1\">2</td>"), table.npos);
}

} // namespace
} // namespace llamarun
