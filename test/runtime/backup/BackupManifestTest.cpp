#include "runtime/backup/BackupManifest.h"

#include "test/runtime/io/TestFiles.h"

namespace llamarun {
namespace {

const std::string kDigest(64, 'a');

BackupManifest example() {
  BackupManifest manifest;
  manifest.created = Time(std::chrono::seconds(1'800'000'000));
  manifest.source = "x";
  manifest.files = {
      {"a", 1, kDigest, -5, 0644},
      {"b/\xc3\xa9", 20, kDigest, 1'700'000'000'123'456'789, 0755}};
  manifest.emptyDirectories = {"empty"};
  return manifest;
}

TEST(BackupManifest, ComesBackAsItWas) {
  BackupManifest one = example();
  BackupManifest two = BackupManifest::parse(one.text(), "m");
  EXPECT_TRUE(one.sameContent(two));
  EXPECT_EQ(two.created, one.created);
  EXPECT_EQ(two.bytes(), 21u);
  EXPECT_EQ(two.find("b/\xc3\xa9")->mode, 0755u);
  EXPECT_EQ(two.find("b"), nullptr);
  two.files[0].mtimeNs = 0;
  EXPECT_FALSE(one.sameContent(two));
}

TEST(BackupManifest, RefusesWhatLeadsOutOrIsNotWhole) {
  std::string good = example().text();
  auto refused = [&](const std::string &from, const std::string &to,
                     const std::string &what) {
    std::string text = good;
    auto at = text.find(from);
    ASSERT_NE(at, text.npos) << from;
    text.replace(at, from.size(), to);
    expectError(ExitCode::BadInput, {"m: ", what},
                [&] { BackupManifest::parse(text, "m"); });
  };
  for (std::string path : {"../a", "/a", "a/../../b", "./a", "a//b", "", "a/"})
    refused("\"path\": \"a\"", "\"path\": \"" + path + "\"", "bad path");
  refused("\"path\": \"a\"", "\"path\": \"b/\xc3\xa9\"", "twice");
  refused("\"empty\"", "\"../e\"", "'../e'");
  refused(kDigest, "aa", "digest");
  refused("\"size\": 1\n", "\"size\": -1\n", "size");
  refused("\"mode\": 420", "\"mode\": 2541", "mode");
  refused("\"version\": 1", "\"version\": 2", "version");
  refused("llamarun-backup", "other", "no backup");
  refused("\"files\"", "\"fils\"", "files");
  for (std::size_t size = 0; size + 2 < good.size(); size += 7)
    expectError(ExitCode::BadInput, {"m: "},
                [&] { BackupManifest::parse(good.substr(0, size), "m"); });
  expectError(ExitCode::BadInput, {"m: "},
              [&] { BackupManifest::parse(std::string(100'000, '['), "m"); });
}

TEST(BackupName, OrdersByNumber) {
  BackupName name{12, "20261123T050000Z", kDigest};
  EXPECT_EQ(name.text(), "00000012-20261123T050000Z-" + kDigest + ".json");
  auto again = BackupName::parse(name.text());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->number, 12u);
  EXPECT_EQ(again->shortText(), "00000012-20261123T050000Z");
  for (std::string text : {std::string("x"), name.text() + "x",
                           name.text().substr(1), std::string("README")})
    EXPECT_FALSE(BackupName::parse(text)) << text;
}

} // namespace
} // namespace llamarun
