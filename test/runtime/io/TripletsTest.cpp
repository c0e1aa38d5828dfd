#include "runtime/io/Triplets.h"

#include "test/runtime/io/TestFiles.h"

namespace llamarun {
namespace {

TEST(Triplets, FactorsByName) {
  for (char letter : {'A', 'E', 'B'}) {
    std::string name = std::string("m.q_proj.lora_") + letter;
    auto factor = tripletFactorOf(name);
    ASSERT_TRUE(factor) << name;
    EXPECT_EQ(factor->module, "m.q_proj");
    EXPECT_EQ(factor->letter, letter);
    EXPECT_EQ(factor->dimension(), letter == 'B' ? 1u : 0u);
  }
  for (const char *name : {"score.weight", "m.lora_A.weight", "m.lora_C",
                           ".lora_A", "lora_A", "", "m.lora_"})
    EXPECT_FALSE(tripletFactorOf(name)) << name;
}

AdapterTensors small() {
  return {{"m.lora_A", {{3, 2}, {1, 2, 3, 4, 5, 6}}},
          {"m.lora_E", {{3, 1}, {7, 0, 9}}},
          {"m.lora_B", {{2, 3}, {10, 11, 12, 13, 14, 15}}},
          {"n.lora_A", {{3, 1}, {1, 2, 3}}},
          {"score.weight", {{1, 2}, {20, 21}}}};
}

TEST(Triplets, MaskedRowsGoAndTheOthersKeepTheirOrder) {
  AdapterTensors tensors = small();
  removeMasked(tensors, {{"m", {true, false, true}}});
  EXPECT_EQ(tensors["m.lora_A"].shape, (Shape{2, 2}));
  EXPECT_EQ(tensors["m.lora_A"].data, (std::vector<float>{1, 2, 5, 6}));
  EXPECT_EQ(tensors["m.lora_E"].data, (std::vector<float>{7, 9}));
  EXPECT_EQ(tensors["m.lora_B"].shape, (Shape{2, 2}));
  EXPECT_EQ(tensors["m.lora_B"].data, (std::vector<float>{10, 12, 13, 15}));
  EXPECT_EQ(tensors["n.lora_A"].shape, (Shape{3, 1})); // no entry: all
  EXPECT_EQ(tensors["score.weight"].data, (std::vector<float>{20, 21}));
}

TEST(Triplets, AMatrixMayKeepNone) {
  AdapterTensors tensors = small();
  removeMasked(tensors, {{"m", {false, false, false}}});
  EXPECT_EQ(tensors["m.lora_A"].shape, (Shape{0, 2}));
  EXPECT_EQ(tensors["m.lora_E"].shape, (Shape{0, 1}));
  EXPECT_EQ(tensors["m.lora_B"].shape, (Shape{2, 0}));
  EXPECT_TRUE(tensors["m.lora_B"].data.empty());
}

TEST(Triplets, MasksOfAnotherLengthAreRefused) {
  AdapterTensors tensors = small();
  expectError(ExitCode::BadInput, {"'m.lora_A'", "[3, 2]", "2 triplets"}, [&] {
    removeMasked(tensors, {{"m", {true, false}}});
  });
}

} // namespace
} // namespace llamarun
