// The file of tuned GEMMs: what is written comes back, anything else is a note.
#include "runtime/device/TuneCache.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <unistd.h>

using namespace llamarun;

namespace {

class TuneCacheTest : public testing::Test {
protected:
  TuneCacheTest() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "llamac-XXXXXX").string();
    directory = ::mkdtemp(pattern.data());
    file = (directory / "plan.fb.tune").string();
  }
  ~TuneCacheTest() override { std::filesystem::remove_all(directory); }

  TuneCache make(const std::string &device = "GPU, 4 SMs",
                 const std::string &library = "lib 1") const {
    return TuneCache(file, device, library);
  }
  std::string content() const {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const std::string &text) const {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
  }

  std::filesystem::path directory;
  std::string file;
};

TunedAlgorithm sample(std::uint64_t seed) {
  TunedAlgorithm algorithm;
  for (std::size_t i = 0; i < algorithm.bits.size(); ++i)
    algorithm.bits[i] = (seed + i) * 0x9e3779b97f4a7c15;
  algorithm.microseconds = 12.5 + static_cast<double>(seed);
  return algorithm;
}

TEST_F(TuneCacheTest, ComesBack) {
  auto cache = make();
  EXPECT_EQ(cache.load(), "");
  cache.put("bf16 nt 1x2x3", sample(1));
  cache.put("f32 nn 4x5x6", sample(2));
  EXPECT_EQ(cache.save(), "");
  auto again = make();
  EXPECT_EQ(again.load(), "");
  EXPECT_EQ(again.size(), 2u);
  auto found = again.find("f32 nn 4x5x6");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->bits, sample(2).bits);
  EXPECT_EQ(found->microseconds, 14.5);
  EXPECT_FALSE(again.find("f32 nn 4x5x7"));
}

TEST_F(TuneCacheTest, NothingNewIsNotWritten) {
  auto cache = make();
  EXPECT_EQ(cache.save(), "");
  EXPECT_FALSE(std::filesystem::exists(file));
  TuneCache nowhere("", "d", "l");
  nowhere.put("x", sample(1));
  EXPECT_EQ(nowhere.save(), "");
  EXPECT_EQ(nowhere.load(), "");
}

TEST_F(TuneCacheTest, BelongsToADeviceAndALibrary) {
  auto cache = make();
  cache.put("x", sample(1));
  cache.save();
  auto other = make("GPU, 8 SMs");
  EXPECT_NE(other.load().find("made for GPU, 4 SMs with lib 1, this is GPU, "
                              "8 SMs with lib 1; tuning anew"),
            std::string::npos);
  EXPECT_EQ(other.size(), 0u);
  auto newer = make("GPU, 4 SMs", "lib 2");
  EXPECT_NE(newer.load(), "");
  EXPECT_EQ(newer.size(), 0u);
}

// Every cut and every changed byte: a note or, where the byte does not matter,
// exactly what was written.
TEST_F(TuneCacheTest, DamageIsANote) {
  auto cache = make();
  cache.put("bf16 nt 1x2x3", sample(1));
  cache.save();
  auto good = content();
  int notes = 0;
  auto attempt = [&](const std::string &text) {
    write(text);
    auto damaged = make();
    if (!damaged.load().empty()) {
      EXPECT_EQ(damaged.size(), 0u);
      ++notes;
      return;
    }
    EXPECT_EQ(damaged.size(), 1u);
    auto found = damaged.find("bf16 nt 1x2x3");
    ASSERT_TRUE(found) << text;
    EXPECT_EQ(found->bits, sample(1).bits) << text;
  };
  for (std::size_t i = 0; i < good.size(); ++i) {
    attempt(good.substr(0, i));
    for (char c : {'\0', '0', '}', 'x', '\xff'}) {
      auto text = good;
      text[i] = c;
      attempt(text);
    }
  }
  EXPECT_GT(notes, 1000);
  std::filesystem::remove(file);
  std::filesystem::create_directory(file);
  auto folder = make();
  EXPECT_NE(folder.load(), "");
}

TEST_F(TuneCacheTest, CannotBeWritten) {
  TuneCache cache((directory / "no" / "such" / "file").string(), "d", "l");
  cache.put("x", sample(1));
  EXPECT_NE(cache.save().find("tuned GEMMs are not kept"), std::string::npos);
  EXPECT_EQ(cache.save(), "") << "said once";
}

} // namespace
