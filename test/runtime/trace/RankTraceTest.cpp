#include "runtime/trace/RankTrace.h"

#include "runtime/support/Error.h"
#include "test/runtime/trace/TraceSamples.h"

#include <gtest/gtest.h>

namespace llamarun {
namespace {

TEST(RankTrace, TravelsAsBytes) {
  auto trace = test::sampleTrace(1);
  trace.host = "\xff\"host\n";
  trace.clock = {-5, 7};
  trace.synchronous = false;
  trace.lost = 3;
  trace.pieces.push_back({kNoTag, 1, 9, 2, 40, 50});
  auto other = RankTrace::decode(trace.encode());
  EXPECT_EQ(other.rank, 1u);
  EXPECT_EQ(other.host, trace.host);
  EXPECT_EQ(other.device, trace.device);
  EXPECT_EQ(other.source, trace.source);
  EXPECT_EQ(other.pid, 101);
  EXPECT_EQ(other.clock.offset, -5);
  EXPECT_EQ(other.clock.error, 7);
  EXPECT_FALSE(other.synchronous);
  EXPECT_EQ(other.lost, 3u);
  EXPECT_EQ(other.names, trace.names);
  ASSERT_EQ(other.runs.size(), 2u);
  EXPECT_EQ(other.runs[1].step, 1u);
  EXPECT_EQ(other.runs[1].measured, 1e-3);
  EXPECT_EQ(other.runs[1].end, trace.runs[1].end);
  ASSERT_EQ(other.steps.size(), 8u);
  EXPECT_EQ(other.steps[7].tag, workTag(0, 2));
  EXPECT_EQ(other.steps[7].begin, trace.steps[7].begin);
  EXPECT_EQ(other.pieces.back().tag, kNoTag);
  EXPECT_EQ(other.pieces.back().lane, 9u);
  EXPECT_EQ(other.spans[1].name, 2u);
  // The clock's offset is taken away once, everywhere.
  other.align();
  EXPECT_EQ(other.runs[1].end, trace.runs[1].end + 5);
  EXPECT_EQ(other.steps[7].begin, trace.steps[7].begin + 5);
  EXPECT_EQ(other.spans[0].end, trace.spans[0].end + 5);
  EXPECT_EQ(other.pieces.back().begin, 45);
}

TEST(RankTrace, BytesOfSomethingElseAreRefused) {
  auto bytes = test::sampleTrace(0).encode();
  for (auto &bad : {std::string(), std::string("no trace"),
                    bytes.substr(0, bytes.size() / 2)})
    EXPECT_THROW(RankTrace::decode(bad), Error);
}

} // namespace
} // namespace llamarun
