#include "runtime/data/Tokenizer.h"
#include "test/runtime/data/TestFiles.h"

using namespace llamarun;
using namespace llamarun::test;
using Ids = std::vector<int32_t>;

namespace {

// a b c ab bc abc " a", in base64; " a" is 5, abc is 6.
constexpr char kRanks[] =
    "YQ== 0\nYg== 1\nYw== 2\nYWI= 3\nYmM= 4\nIGE= 5\nYWJj 6\nIA== 7\n";

class RankFile : public testing::Test {
protected:
  std::unique_ptr<Tokenizer> load(std::string_view text) {
    folder.write("tokenizer.model", text);
    return Tokenizer::load(folder.path);
  }
  void refuse(std::string_view text, std::string_view part) {
    auto file = folder.write("tokenizer.model", text);
    expectError(ExitCode::BadInput, file.string() + std::string(part),
                [&] { Tokenizer::fromRankFile(file); });
  }
  TemporaryFolder folder;
};

} // namespace

TEST_F(RankFile, MergesByRankOfTheResult) {
  auto tokenizer = load(kRanks);
  EXPECT_EQ(tokenizer->vocabularySize(), 8 + 256);
  EXPECT_EQ(tokenizer->encode("abc"), (Ids{8, 6}));
  // One word; ab (3) goes before bc (4) everywhere, then abc.
  EXPECT_EQ(tokenizer->encodeWithoutTemplate("abcbcab"), (Ids{6, 4, 3}));
  EXPECT_EQ(tokenizer->encodeWithoutTemplate("a a"), (Ids{0, 5}));
  EXPECT_EQ(tokenizer->encodePair("a", "b", 10), (Ids{8, 0, 8, 1}));
  EXPECT_EQ(tokenizer->decode(Ids{8, 6, 5}), "abc a");
}

// No merge leads to cba: it is found as a whole word only.
TEST_F(RankFile, LooksWholeWordsUpFirst) {
  auto tokenizer = load(std::string(kRanks) + "Y2Jh 8\n");
  EXPECT_EQ(tokenizer->encodeWithoutTemplate("cba"), (Ids{8}));
  EXPECT_EQ(tokenizer->encodeWithoutTemplate("cbac"), (Ids{2, 1, 0, 2}));
}

TEST_F(RankFile, NamesLlama31sSpecialTokens) {
  auto tokenizer = load(kRanks);
  const std::pair<const char *, int32_t> kExpected[] = {
      {"<|begin_of_text|>", 0},
      {"<|end_of_text|>", 1},
      {"<|reserved_special_token_0|>", 2},
      {"<|finetune_right_pad_id|>", 4},
      {"<|reserved_special_token_2|>", 5},
      {"<|start_header_id|>", 6},
      {"<|end_header_id|>", 7},
      {"<|eom_id|>", 8},
      {"<|eot_id|>", 9},
      {"<|python_tag|>", 10},
      {"<|reserved_special_token_3|>", 11},
      {"<|reserved_special_token_247|>", 255}};
  for (auto [name, offset] : kExpected) {
    EXPECT_EQ(tokenizer->idOf(name), 8 + offset) << name;
    EXPECT_EQ(tokenizer->encodeWithoutTemplate(std::string("a") + name),
              (Ids{0, 8 + offset}));
  }
}

TEST_F(RankFile, RefusesWhatIsNoRankFile) {
  refuse("", ": holds no tokens");
  refuse("YQ== 0\nYg==\n", ":2: expected \"<base64 token> <rank>\"");
  refuse("YQ== 0\nY*== 1\n", ":2: expected \"<base64");
  refuse("YQ== 0\nYg= 1\n", ":2: expected \"<base64");
  refuse("YQ== 0\nYh== 1\n", ":2: expected \"<base64");
  refuse("YQ== 0\nY=Q= 1\n", ":2: expected \"<base64");
  refuse("YQ== 0\n 1\n", ":2: expected \"<base64");
  refuse("YQ== 0\nYg== 2\n", ":2: expected rank 1");
  refuse("YQ== 0\nYg== 1x\n", ":2: expected rank 1");
  refuse("YQ== 0\nYg== 99999999999999999999999\n", ":2: expected rank 1");
  refuse("YQ== 0\nYQ== 1\n", ":2: the token occurs a second time");
  refuse(std::string("\x0a\x0eSentencePiece", 15), ":1: expected");
  refuse(std::string(400, 'A') + " 0\n", ":1: token of 300 bytes");
  refuse(std::string("YQ==\0 0\n", 8), ":1: contains a NUL byte");
  refuse(std::string(20 << 20, 'A'), ":1: line is longer than");
}
