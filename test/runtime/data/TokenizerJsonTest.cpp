#include "runtime/data/Tokenizer.h"
#include "test/runtime/data/TestFiles.h"

using namespace llamarun;
using namespace llamarun::test;
using nlohmann::json;
using Ids = std::vector<int32_t>;

namespace {

/// A tokenizer.json that loads, for tests to spoil.
json smallest() {
  return json::parse(R"({
    "version": "1.0",
    "added_tokens": [{"id": 5, "content": "<s>", "special": true}],
    "normalizer": {"type": "Replace", "pattern": {"String": "-"}, "content": ""},
    "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "x"},
                      "behavior": "Isolated", "invert": false},
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                 {"Sequence": {"id": "A", "type_id": 0}}],
      "pair": [{"Sequence": {"id": "A", "type_id": 0}},
               {"Sequence": {"id": "B", "type_id": 1}}],
      "special_tokens": {"<s>": {"id": "<s>", "ids": [5], "tokens": ["<s>"]}}},
    "decoder": null,
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "x": 3, "abx": 4},
              "merges": ["a b", ["ab", "x"]]}})");
}

struct Refusal {
  const char *pointer; ///< of the member that `value` replaces
  const char *value;
  const char *message; ///< part of it
};

class TokenizerJson : public testing::Test {
protected:
  void refuse(std::string_view text, std::string_view part) {
    auto file = folder.write("tokenizer.json", text);
    expectError(ExitCode::BadInput, part,
                [&] { Tokenizer::fromJsonFile(file); });
    expectError(ExitCode::BadInput, file.string(),
                [&] { Tokenizer::fromJsonFile(file); });
  }
  TemporaryFolder folder;
};

} // namespace

TEST_F(TokenizerJson, LoadsTheSmallest) {
  auto tokenizer =
      Tokenizer::fromJsonFile(folder.write("t.json", smallest().dump()));
  EXPECT_EQ(tokenizer->encode("a-babx<s>a"), (Ids{5, 2, 2, 3, 5, 0}));
  EXPECT_EQ(tokenizer->vocabularySize(), 6);
}

TEST_F(TokenizerJson, RefusesWrongMembers) {
  static const Refusal kRefusals[] = {
      {"/version", "\"2.0\"", "2.0"},
      {"/model", "null", "has no \"model\""},
      {"/model", "[]", "model: expected an object, found a array"},
      {"/model/type", "\"WordPiece\"", "model \"WordPiece\" is not supported"},
      {"/model/vocab", "3", "model.vocab: expected an object"},
      {"/model/vocab/a", "-1", "the id of \"a\""},
      {"/model/vocab/a", "1.5", "the id of \"a\""},
      {"/model/vocab/a", "4294967296", "the id of \"a\""},
      {"/model/vocab/a", "\"0\"", "the id of \"a\""},
      {"/model/merges/0", "\"a c\"", "'c', which is not in the vocabulary"},
      {"/model/merges/0", "\"b a\"", "'ba', which is not in the vocabulary"},
      {"/model/merges/0", "\"ab\"", "model.merges: expected"},
      {"/model/merges/0", "\"a b c\"", "model.merges: expected"},
      {"/model/merges/0", "[\"a\"]", "model.merges: expected"},
      {"/model/merges/0", "7", "model.merges: expected"},
      {"/model/merges", "\"a b\"", "model.merges: expected a list"},
      {"/model/unk_token", "\"<unk>\"", "unk_token '<unk>'"},
      {"/model/byte_fallback", "1", "model.byte_fallback: expected true"},
      {"/model/dropout", "0.1", "model.dropout: is not supported"},
      {"/model/end_of_word_suffix", "\"</w>\"", "end_of_word_suffix"},
      {"/normalizer/type", "\"NFC\"", "normalizer \"NFC\" is not supported"},
      {"/normalizer/pattern/String", "\"\"", "must not be empty"},
      {"/normalizer/pattern", "{\"Regex\": \"(\"}", "malformed regular"},
      {"/pre_tokenizer/type", "\"Punctuation\"", "\"Punctuation\" is not"},
      {"/pre_tokenizer/behavior", "\"Cut\"", "unknown split behavior"},
      {"/pre_tokenizer/pattern/Regex", "\"a{2,1}\"", "malformed regular"},
      {"/pre_tokenizer/pattern/Regex", "\"\\\\C\"", "malformed regular"},
      {"/pre_tokenizer", "{\"type\":\"Metaspace\",\"replacement\":\"ab\"}",
       "expected one character"},
      {"/pre_tokenizer", "{\"type\":\"Sequence\",\"pretokenizers\":[3]}",
       "pre_tokenizer.pretokenizers[0]: expected an object"},
      {"/post_processor/type", "\"BertProcessing\"", "\"BertProcessing\""},
      {"/post_processor/single/0/SpecialToken/id", "\"<z>\"", "\"<z>\""},
      {"/post_processor/single/1/Sequence/id", "\"B\"", "must use A once"},
      {"/post_processor/pair/1/Sequence/id", "\"A\"", "A and B once each"},
      {"/post_processor/special_tokens/<s>/ids/0", "6",
       "the template's id 6 is not in the vocabulary"},
      {"/decoder", "{\"type\":\"CTC\"}", "decoder \"CTC\" is not supported"},
      {"/added_tokens/0/content", "\"\"", "added token 5 is empty"},
      {"/added_tokens/0/id", "-5", "added_tokens[0].id: expected a whole"},
      {"/added_tokens/0/id", "2147483647", "added_tokens[0].id"},
      {"/added_tokens/0/special", "\"yes\"", "expected true or false"},
  };
  for (const Refusal &refusal : kRefusals) {
    SCOPED_TRACE(std::string(refusal.pointer) + " = " + refusal.value);
    json document = smallest();
    document[json::json_pointer(refusal.pointer)] = json::parse(refusal.value);
    refuse(document.dump(), refusal.message);
  }
}

TEST_F(TokenizerJson, RefusesWhatIsNoJson) {
  refuse("", "is not JSON");
  refuse("{\"version\": \"1.0\"", "is not JSON");
  refuse("[1]", "expected an object");
  std::string text = smallest().dump();
  text[text.find("<s>")] = '\xC0';
  refuse(text, "is not valid UTF-8 (byte ");
  // Every prefix of a good file is a bad one.
  const std::string good = smallest().dump();
  for (size_t length = 0; length < good.size(); length += 7)
    refuse(good.substr(0, length), "");
}

TEST_F(TokenizerJson, RefusesDeepAndLargeJson) {
  refuse(std::string(1'000'000, '['), "nested deeper than 64");
  std::string deep;
  for (int i = 0; i < 1'000'000; ++i)
    deep += "{\"a\":";
  refuse(deep, "nested deeper than 64");
  std::string wide("[0");
  for (int i = 0; i < 8'000'000; ++i)
    wide += ",0";
  refuse(wide + "]", "has more than 8000000 values");
  refuse(std::string((64 << 20) + 1, ' '), "is larger than");
}

TEST_F(TokenizerJson, RefusesMissingFileAndFolder) {
  expectError(ExitCode::BadInput, "cannot open",
              [&] { Tokenizer::fromJsonFile(folder.path / "absent"); });
  expectError(ExitCode::BadInput, "is a folder",
              [&] { Tokenizer::fromJsonFile(folder.path); });
  expectError(ExitCode::BadInput, "neither tokenizer.json nor tokenizer.model",
              [&] { Tokenizer::load(folder.path); });
}

TEST_F(TokenizerJson, StopsEndlessBacktracking) {
  json document = smallest();
  document["/pre_tokenizer/pattern/Regex"_json_pointer] = "(a+a+)+$";
  auto file = folder.write("tokenizer.json", document.dump());
  auto tokenizer = Tokenizer::fromJsonFile(file);
  expectError(ExitCode::BadInput,
              file.string() + ": pre_tokenizer: the regular",
              [&] { tokenizer->encode(std::string(5000, 'a') + "b"); });
}

TEST_F(TokenizerJson, StopsNormalizersThatGrow) {
  json document = smallest();
  json list = json::array();
  // 16 to the 10th power.
  for (int i = 0; i < 10; ++i)
    list.push_back({{"type", "Replace"},
                    {"pattern", {{"String", "a"}}},
                    {"content", std::string(16, 'a')}});
  document["normalizer"] = {{"type", "Sequence"}, {"normalizers", list}};
  auto tokenizer =
      Tokenizer::fromJsonFile(folder.write("t.json", document.dump()));
  expectError(ExitCode::BadInput, "normalizer makes a text of more than",
              [&] { tokenizer->encode("a"); });
}

// The id that the model gives wins, as in the reference (which warns).
TEST_F(TokenizerJson, ModelDecidesAddedTokensId) {
  json document = smallest();
  document["added_tokens"][0]["content"] = "abx";
  document["post_processor"] = nullptr;
  auto tokenizer =
      Tokenizer::fromJsonFile(folder.write("t.json", document.dump()));
  EXPECT_EQ(tokenizer->encode("aabxa"), (Ids{0, 4, 0}));
}
