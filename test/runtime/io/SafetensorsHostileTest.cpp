// Files that nobody's writer makes. Whatever the bytes, the reader gives an
// Error(BadInput) or views that lie inside the file.
#include "runtime/io/Safetensors.h"

#include "test/runtime/io/TestFiles.h"

namespace llamarun {
namespace {

constexpr char kGoodHeader[] =
    R"({"__metadata__":{"format":"pt"},)"
    R"("w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},)"
    R"("v":{"dtype":"BF16","shape":[3],"data_offsets":[8,14]}})";

class SafetensorsHostile : public testing::Test {
protected:
  SafetensorsFile open(const std::string &bytes) {
    // Anew: some file systems flush a file that is truncated and rewritten.
    std::filesystem::remove(dir / "f.safetensors");
    writeAll(dir / "f.safetensors", bytes);
    return SafetensorsFile::open(dir / "f.safetensors");
  }
  void refuses(const std::string &bytes, std::vector<std::string> parts) {
    parts.push_back("f.safetensors");
    SCOPED_TRACE(bytes.substr(0, 200));
    expectError(ExitCode::BadInput, parts, [&] { open(bytes); });
  }
  // A header with the given entries, and data.
  void refusesHeader(const std::string &header, size_t data,
                     std::vector<std::string> parts) {
    refuses(safetensorsBytes(header, std::string(data, 'x')), parts);
  }
  // Touches all of a file that was accepted.
  static void useAll(const SafetensorsFile &file) {
    size_t sum = 0;
    for (const TensorView &tensor : file.tensors()) {
      EXPECT_EQ(file.find(tensor.name), &tensor);
      for (std::byte b : tensor.bytes)
        sum += static_cast<size_t>(b);
      if (!isConvertibleToFloat(tensor.dtype))
        continue;
      std::vector<float> values(tensor.elements());
      file.readFloat(tensor, values);
    }
    EXPECT_LE(sum, 255u * readAll(file.path()).size());
  }
  TemporaryDirectory dir;
};

TEST_F(SafetensorsHostile, TheGoodFileIsGood) {
  SafetensorsFile file =
      open(safetensorsBytes(kGoodHeader, std::string(14, 'x')));
  EXPECT_EQ(file.tensors().size(), 2u);
  useAll(file);
}

TEST_F(SafetensorsHostile, EveryTruncationAndExtension) {
  std::string good = safetensorsBytes(kGoodHeader, std::string(14, 'x'));
  for (size_t size = 0; size < good.size(); ++size)
    refuses(good.substr(0, size), {"f.safetensors"});
  refuses(good + "x", {"1 bytes after the last tensor"});
}

TEST_F(SafetensorsHostile, EverySingleBitFlip) {
  std::string good = safetensorsBytes(kGoodHeader, std::string(14, 'x'));
  int accepted = 0, refused = 0;
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    try {
      useAll(open(bad));
      ++accepted;
    } catch (const Error &error) {
      EXPECT_EQ(error.code(), ExitCode::BadInput);
      ++refused;
    }
  }
  // Flips in the data, in names and in metadata cannot be seen; those in the
  // lengths, offsets, shapes and in the JSON's structure must be.
  EXPECT_GE(accepted, 14 * 8);
  EXPECT_GE(refused, 600);
}

TEST_F(SafetensorsHostile, HeaderLength) {
  std::string bytes(16, '\xff');
  refuses(bytes, {"18446744073709551615 bytes is larger than the 100000000"});
  uint64_t large = SafetensorsFile::kMaxHeaderBytes + 1;
  std::memcpy(bytes.data(), &large, 8);
  refuses(bytes, {"header of 100000001 bytes is larger"});
  large = SafetensorsFile::kMaxHeaderBytes;
  std::memcpy(bytes.data(), &large, 8);
  refuses(bytes, {"truncated: header of 100000000 bytes in a file of 16"});
  refuses(safetensorsBytes("", ""), {"does not start with '{'"});
  refuses("", {"too few"});
}

TEST_F(SafetensorsHostile, HolesAndOverlaps) {
  refusesHeader(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},
    "b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}})",
                5, {"'b'", "hole after byte 2"});
  refusesHeader(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})", 3,
                {"'a'", "hole after byte 0"});
  refusesHeader(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},
    "b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                3, {"'b'", "overlap"});
  refusesHeader(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},
    "b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
                2, {"'b'", "overlap"});
  refusesHeader(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[2,0]}})", 2,
                {"'a'", "backwards"});
  refusesHeader(R"({"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}})", 8,
                {"'a'", "truncated"});
  // A tensor of no bytes may stand anywhere between two others.
  useAll(open(
      safetensorsBytes(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},
        "n":{"dtype":"F32","shape":[0],"data_offsets":[2,2]},
        "b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
                       "xxxx")));
}

TEST_F(SafetensorsHostile, ShapesThatOverflowOrDoNotFit) {
  auto refusesShape = [&](const std::string &dtype, const std::string &shape,
                          const std::string &part) {
    refusesHeader(R"({"a":{"dtype":")" + dtype + R"(","shape":)" + shape +
                      R"(,"data_offsets":[0,8]}})",
                  8, {"'a'", part});
  };
  refusesShape("F32", "[4294967296,4294967296]", "overflows");
  refusesShape("U8", "[18446744073709551615]", "overflows"); // bits
  refusesShape("F32", "[2305843009213693954]", "overflows"); // 8 bytes mod 2^64
  refusesShape("F32", "[4294967296,4294967296,0]", "overflows");
  refusesShape("F32", "[3]", "takes 12 bytes, data_offsets give 8");
  refusesShape("F64", "[2]", "takes 16 bytes");
  refusesShape("F4", "[17]", "whole number of bytes");
  refusesShape("F32", "[18446744073709551616]", "not an unsigned 64-bit");
  refusesShape("F32", "[-2]", "negative");
  refusesShape("F32", "[2.0]", "not an unsigned");
  refusesShape("F32", "[[2]]", "unexpected list");
  refusesShape("F32", "[\"2\"]", "unexpected string");
  refusesShape("F32", "2", "unexpected number");
  refusesShape("F32", "null", "unexpected null");
  refusesShape("F32", "true", "unexpected boolean");
  refusesShape("F32", "{}", "unexpected object");
  refusesShape("F99", "[2]", "unknown dtype 'F99'");
  std::string ones = "[1";
  for (int i = 0; i < 100; ++i)
    ones += ",1";
  refusesShape("F32", ones + "]", "more than 64 dimensions");
}

TEST_F(SafetensorsHostile, DuplicateAndMissingParts) {
  std::string entry = R"({"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  refusesHeader("{\"a\":" + entry + ",\"a\":" + entry + "}", 1,
                {"'a' appears twice"});
  refusesHeader("{\"a\":" + entry + ",\"\\u0061\":" + entry + "}", 1,
                {"'a' appears twice"});
  refusesHeader(R"({"__metadata__":{},"__metadata__":{}})", 0,
                {"__metadata__", "twice"});
  refusesHeader(R"({"__metadata__":{"k":"1","k":"2"}})", 0, {"'k'", "twice"});
  refusesHeader(R"({"__metadata__":{"k":1}})", 0, {"__metadata__"});
  refusesHeader(R"({"__metadata__":{"k":{}}})", 0, {"__metadata__"});
  refusesHeader(R"({"__metadata__":[]})", 0, {"__metadata__"});
  refusesHeader(R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],
    "data_offsets":[0,1]}})",
                1, {"'a'", "'dtype' appears twice"});
  refusesHeader(R"({"a":{"dtype":"U8","shape":[1]}})", 1,
                {"'a'", "needs dtype, shape and data_offsets"});
  refusesHeader(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", 1,
                {"'a'", "exactly two"});
  refusesHeader(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}})", 1,
                {"'a'", "exactly two"});
  refusesHeader(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],
    "stride":1}})",
                1, {"'a'", "unknown field 'stride'"});
  refusesHeader(R"({"a":1})", 0, {"'a'"});
}

TEST_F(SafetensorsHostile, MalformedJson) {
  refusesHeader("[]", 0, {"does not start with '{'"});
  refusesHeader(" {}", 0, {"does not start with '{'"});
  refusesHeader("\xef\xbb\xbf{}", 0, {"does not start with '{'"});
  refusesHeader("{} x", 0, {"malformed JSON"});
  refusesHeader("{}{}", 0, {"malformed JSON"});
  refusesHeader("{", 0, {"malformed JSON"});
  refusesHeader("{\"\xff\":1}", 0, {"malformed JSON"});
  refusesHeader(std::string("{}\0\0", 4), 0, {"NUL byte"});
  refusesHeader("{\"a\":" + std::string(1'000'000, '['), 0, {"'a'"});
  std::string nested = R"({"a":{"dtype":)";
  for (int i = 0; i < 100'000; ++i)
    nested += "{\"b\":";
  refusesHeader(nested, 0, {"'a'", "unexpected object"});
  refusesHeader("{\"a\":1e999}", 0, {"malformed JSON"});
}

TEST_F(SafetensorsHostile, MessagesCarryNoControlCharacters) {
  try {
    open(safetensorsBytes("{\"\\u001b[2J" + std::string(10'000, 'n') +
                              "\":{\"dtype\":\"X\"}}",
                          ""));
    FAIL();
  } catch (const Error &error) {
    std::string message = error.what();
    EXPECT_EQ(message.find('\x1b'), std::string::npos);
    EXPECT_NE(message.find("\\x1b[2J"), std::string::npos);
    EXPECT_LT(message.size(), 600u);
  }
}

} // namespace
} // namespace llamarun
