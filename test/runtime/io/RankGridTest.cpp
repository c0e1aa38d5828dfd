#include "runtime/io/RankGrid.h"

#include "test/runtime/io/TestFiles.h"

namespace llamarun {
namespace {

TEST(RankGrid, ColumnsInTheOrderOfALayerAndRowsByNumber) {
  RankGrid grid = RankGrid::of({{"model.layers.10.mlp.down_proj", 3},
                                {"model.layers.2.self_attn.v_proj", 0},
                                {"model.layers.2.self_attn.q_proj", 4},
                                {"model.layers.2.mlp.extra", 7},
                                {"lm_head", 5}});
  EXPECT_EQ(grid.columns, (std::vector<std::string>{"q_proj", "v_proj",
                                                    "down_proj", "extra"}));
  ASSERT_EQ(grid.rows.size(), 11u);
  EXPECT_EQ(grid.rows[2][0], 4u);
  EXPECT_EQ(grid.rows[2][1], 0u) << "rank 0 is not the same as not adapted";
  EXPECT_EQ(grid.rows[2][2], std::nullopt);
  EXPECT_EQ(grid.rows[10][2], 3u);
  ASSERT_EQ(grid.others.size(), 1u);
  EXPECT_EQ(grid.others[0].first, "lm_head");
  EXPECT_EQ(grid.total(), 19u);
  EXPECT_EQ(grid.matrices(), 5u);
  EXPECT_EQ(grid.largest(), 7u);
}

TEST(RankGrid, Json) {
  EXPECT_EQ(RankGrid::of({{"model.layers.1.a.q_proj", 3},
                          {"model.layers.0.a.o_proj", 2},
                          {"x", 1}})
                .json(),
            R"({"q_proj":[null,3],"o_proj":[2,null],"x":1})");
  EXPECT_EQ(RankGrid::of({}).json(), "{}");
}

TEST(RankGrid, NamesMakeNoHugeTables) {
  RankGrid grid = RankGrid::of({{"model.layers.4000000000.mlp.up_proj", 1},
                                {"model.layers.99999.mlp.up_proj", 2}});
  EXPECT_TRUE(grid.rows.empty());
  EXPECT_EQ(grid.others.size(), 2u);
}

TEST(RankGrid, OfAdapterDirectories) {
  std::filesystem::path goldens =
      std::filesystem::path(LLAMAC_SOURCE_DIR) / "test/golden/train";
  auto of = [&](const char *name) {
    return RankGrid::of(ranksOf(mapPeftAdapter(goldens / name / "adapter")));
  };
  RankGrid lora = of("sst2-lora");
  EXPECT_EQ(lora.matrices(), 14u);
  EXPECT_EQ(lora.total(), 14u * 8);
  // Counted in adapter_config.json's rank_pattern.
  RankGrid adalora = of("sst2-adalora");
  EXPECT_EQ(adalora.total(), 28u);
  EXPECT_EQ(adalora.rows[1][0], 0u);
  EXPECT_EQ(adalora.rows[0][5], 4u);
}

} // namespace
} // namespace llamarun
