#include "runtime/io/JsonFile.h"

#include "test/runtime/io/TestFiles.h"

namespace llamarun {
namespace {

class JsonFileTest : public testing::Test {
protected:
  JsonFile parse(const std::string &text) {
    writeAll(dir / "f.json", text);
    return JsonFile::open(dir / "f.json");
  }
  void refuses(const std::string &text, std::vector<std::string> parts) {
    parts.push_back((dir / "f.json").string());
    expectError(ExitCode::BadInput, parts, [&] { parse(text); });
  }
  TemporaryDirectory dir;
};

TEST_F(JsonFileTest, TypedAccessAndDefaults) {
  JsonFile file = parse(R"({"b": true, "i": -3, "n": 0.5, "s": "x",
    "l": ["p", "q"], "m": {"k": 2}, "t": {"k": "v"}, "z": null})");
  EXPECT_EQ(file.getBool("b", false), true);
  EXPECT_EQ(file.getInt("i", 0), -3);
  EXPECT_EQ(file.getNumber("n", 0), 0.5);
  EXPECT_EQ(file.getNumber("i", 0), -3);
  EXPECT_EQ(file.getString("s", ""), "x");
  EXPECT_EQ(file.getStrings("l"), (std::vector<std::string>{"p", "q"}));
  EXPECT_EQ(file.getNumberMap("m").at("k"), 2);
  EXPECT_EQ(file.getStringMap("t").at("k"), "v");
  EXPECT_EQ(file.getInt("z", 7), 7);
  EXPECT_EQ(file.getInt("absent", 7), 7);
}

TEST_F(JsonFileTest, WrongTypesNameFileAndKey) {
  JsonFile file = parse(R"({"s": "x", "f": 1.5, "big": 18446744073709551615,
    "l": [1], "m": {"k": "v"}, "o": 3})");
  std::string path = (dir / "f.json").string();
  auto refuses = [&](const char *key, auto action) {
    expectError(ExitCode::BadInput, {path, std::string("'") + key + "'"},
                action);
  };
  refuses("s", [&] { file.getInt("s", 0); });
  refuses("s", [&] { file.getBool("s", false); });
  refuses("s", [&] { file.getNumber("s", 0); });
  refuses("f", [&] { file.getInt("f", 0); });
  refuses("big", [&] { file.getInt("big", 0); });
  refuses("f", [&] { file.getString("f", ""); });
  refuses("l", [&] { file.getStrings("l"); });
  refuses("o", [&] { file.getStrings("o"); });
  refuses("m", [&] { file.getNumberMap("m"); });
  refuses("o", [&] { file.getStringMap("o"); });
}

TEST_F(JsonFileTest, MalformedNamesLineAndColumn) {
  refuses("{\"a\": 1,\n \"b\" 2}", {"f.json:2:", "malformed"});
  refuses("", {":1:1: malformed"});
  refuses("{\"a\": \"\xff\"}", {"malformed"});
  refuses(std::string("{}\0{", 4), {":1:3: NUL"});
  refuses("{} x", {"malformed"});
  refuses("{\"a\": 1e999}", {"out of range"});
  refuses("[]", {"expected a JSON object, found array"});
}

TEST_F(JsonFileTest, DepthAndSizeAreBounded) {
  refuses("{\"a\":" + std::string(1'000'000, '['), {"nested deeper than 64"});
  writeAll(dir / "f.json", "{\"a\": 1}");
  expectError(ExitCode::BadInput, {"8 bytes are more than the 4"},
              [&] { JsonFile::open(dir / "f.json", 4); });
}

} // namespace
} // namespace llamarun
