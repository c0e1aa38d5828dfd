#include "runtime/io/Safetensors.h"

#include "test/runtime/io/TestFiles.h"

namespace llamarun {
namespace {

// Made by the Python package (safetensors 0.8.0, numpy):
//   save({"b": float32 [[1, 2]], "a": float16 [3], "i": int64 [] = 5,
//         "e": float32 [0, 4]}, metadata={"format": "pt"})
// in hexadecimal after the header, whose text is below.
constexpr char kPythonHeader[] =
    R"({"__metadata__":{"format":"pt"},"i":{"dtype":"I64","shape":[],"data_offsets":[0,8]},)"
    R"("b":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]},)"
    R"("e":{"dtype":"F32","shape":[0,4],"data_offsets":[16,16]},)"
    R"("a":{"dtype":"F16","shape":[1],"data_offsets":[16,18]}})";

std::string pythonFile() {
  std::string header = kPythonHeader;
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return safetensorsBytes(header, std::string("\x05\0\0\0\0\0\0\0"
                                              "\0\0\x80\x3f\0\0\0\x40"
                                              "\0\x42",
                                              18));
}

template <typename T>
std::span<const std::byte> bytesOf(const std::vector<T> &values) {
  return std::as_bytes(std::span(values));
}

TEST(Safetensors, ReadsAFileOfThePythonPackage) {
  TemporaryDirectory dir;
  writeAll(dir / "f", pythonFile());
  SafetensorsFile file = SafetensorsFile::open(dir / "f");
  EXPECT_EQ(file.metadata(), (SafetensorsMetadata{{"format", "pt"}}));
  ASSERT_EQ(file.tensors().size(), 4u);
  EXPECT_EQ(file.tensors()[0].name, "i");
  EXPECT_EQ(file.tensors()[3].name, "a");
  const TensorView *b = file.find("b");
  ASSERT_TRUE(b);
  EXPECT_EQ(b->dtype, DType::F32);
  EXPECT_EQ(b->shape, (Shape{1, 2}));
  EXPECT_EQ(b->elements(), 2u);
  std::vector<float> values(2);
  file.readFloat(*b, values);
  EXPECT_EQ(values, (std::vector<float>{1, 2}));
  values.resize(1);
  file.readFloat(*file.find("a"), values);
  EXPECT_EQ(values[0], 3);
  EXPECT_EQ(file.find("e")->elements(), 0u);
  EXPECT_EQ(file.find("i")->shape, Shape{});
  EXPECT_EQ(file.find("none"), nullptr);

  SafetensorsFile moved = std::move(file);
  EXPECT_EQ(moved.find("b"), b);
  expectError(ExitCode::BadInput, {(dir / "f").string(), "'i'", "I64"},
              [&] { moved.readFloat(*moved.find("i"), values); });
  expectError(ExitCode::BadInput, {(dir / "f").string(), "'b'", "elements"},
              [&] { moved.readFloat(*moved.find("b"), values); });
}

TEST(Safetensors, WritesTheBytesOfThePythonPackage) {
  TemporaryDirectory dir;
  std::vector<float> b = {1, 2};
  std::vector<uint16_t> a = {0x4200};
  std::vector<int64_t> i = {5};
  std::vector<TensorView> views = {{"a", DType::F16, {1}, bytesOf(a)},
                                   {"e", DType::F32, {0, 4}, {}},
                                   {"b", DType::F32, {1, 2}, bytesOf(b)},
                                   {"i", DType::I64, {}, bytesOf(i)}};
  writeSafetensors(dir / "f", views);
  EXPECT_EQ(readAll(dir / "f"), pythonFile());
  EXPECT_EQ(entriesIn(dir.path), 1u);
}

TEST(Safetensors, NothingButMetadataOrNothingAtAll) {
  TemporaryDirectory dir;
  writeSafetensors(dir / "f", {}, {});
  EXPECT_EQ(readAll(dir / "f"), safetensorsBytes("{}      ", ""));
  EXPECT_TRUE(SafetensorsFile::open(dir / "f").tensors().empty());
  writeSafetensors(dir / "f", {}, {{"a", "\"\n"}, {"b", "c"}});
  EXPECT_EQ(SafetensorsFile::open(dir / "f").metadata().at("a"), "\"\n");
}

TEST(Safetensors, NamesNeedEscapingAndDataNeedNoAlignment) {
  TemporaryDirectory dir;
  std::vector<float> values = {1.5f, -2};
  std::vector<TensorView> views = {
      {"q\"\\\n\u00e9", DType::F32, {2}, bytesOf(values)}};
  writeSafetensors(dir / "f", views);
  EXPECT_TRUE(SafetensorsFile::open(dir / "f").find("q\"\\\n\u00e9"));

  // U8 first and a header of odd length: the floats lie at an odd address.
  std::string data(1, '\x07');
  data.append(reinterpret_cast<const char *>(values.data()), 8);
  writeAll(dir / "g",
           safetensorsBytes(
               R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
               R"("y":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}})",
               data));
  SafetensorsFile file = SafetensorsFile::open(dir / "g");
  std::vector<float> read(2);
  file.readFloat(*file.find("y"), read);
  EXPECT_EQ(read, values);
}

TEST(Safetensors, WriterRefusesWhatNobodyCouldRead) {
  TemporaryDirectory dir;
  std::vector<float> two(2);
  auto refuses = [&](std::vector<TensorView> views, const char *part) {
    expectError(ExitCode::BadInput, {(dir / "f").string(), part},
                [&] { writeSafetensors(dir / "f", views); });
    EXPECT_EQ(entriesIn(dir.path), 0u);
  };
  TensorView good{"t", DType::F32, {2}, bytesOf(two)};
  refuses({good, good}, "'t' given twice");
  refuses({{"t", DType::F16, {4}, bytesOf(two)}, good}, "'t' given twice");
  refuses({{"t", DType::F32, {3}, bytesOf(two)}}, "'t'");
  refuses({{"t", DType::F32, {UINT64_MAX, 2}, bytesOf(two)}}, "'t'");
  refuses({{"\xff", DType::F32, {2}, bytesOf(two)}}, "'\\xff' is not UTF-8");
  refuses({{"__metadata__", DType::F32, {2}, bytesOf(two)}}, "__metadata__");
}

TEST(Safetensors, RealFilesAreReproducedByteForByte) {
  const std::filesystem::path golden = sharedData("golden/train");
  SKIP_WITHOUT(golden);
  TemporaryDirectory dir;
  int files = 0;
  for (const auto &entry :
       std::filesystem::recursive_directory_iterator(golden)) {
    if (entry.path().extension() != ".safetensors")
      continue;
    SafetensorsFile file = SafetensorsFile::open(entry.path());
    writeSafetensors(dir / "copy", file.tensors(), file.metadata());
    EXPECT_EQ(readAll(dir / "copy"), readAll(entry.path())) << entry.path();
    ++files;
  }
  EXPECT_GE(files, 12);
}

} // namespace
} // namespace llamarun
