#include "runtime/backup/SourceTree.h"

#include "runtime/backup/FileDigest.h"
#include "runtime/io/Manifest.h"
#include "test/runtime/io/TestFiles.h"

#include <sys/stat.h>

namespace llamarun {
namespace {

namespace fs = std::filesystem;

struct SourceTreeTest : ::testing::Test {
  TemporaryDirectory run;
  std::vector<std::string> warnings;

  BackupManifest scan(const BackupManifest *last = nullptr) {
    return scanSource(run.path, last, [this](const std::string &text) {
      warnings.push_back(text);
    });
  }
  void digests(BackupManifest &tree, const BackupManifest *last,
               bool all = false) {
    addDigests(tree, run.path, last, all, [] { return false; });
  }
  void write(const std::string &name, const std::string &text) {
    fs::create_directories((run / name).parent_path());
    writeAll(run / name, text);
  }
  static std::vector<std::string> paths(const BackupManifest &tree) {
    std::vector<std::string> names;
    for (auto &file : tree.files)
      names.push_back(file.path);
    return names;
  }
};

TEST_F(SourceTreeTest, TakesFilesAndLeavesWhatIsUnderConstruction) {
  write("metrics.jsonl", "{}\n");
  write("logs/deep/events", "e");
  write("adapter.tmp-123", "half");
  write("checkpoint-5.tmp-12-34/rank-00000.safetensors", "half");
  write("checkpoint-4.old-99/rank-00000.safetensors", "going");
  write("notes.tmp-draft", "mine"); // not a name of ours
  fs::create_directories(run / "empty");
  fs::create_symlink("metrics.jsonl", run / "link");
  BackupManifest tree = scan();
  EXPECT_EQ(paths(tree),
            (std::vector<std::string>{"logs/deep/events", "metrics.jsonl",
                                      "notes.tmp-draft"}));
  EXPECT_EQ(tree.emptyDirectories, std::vector<std::string>{"empty"});
  EXPECT_EQ(tree.source, run.path.filename());
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("link is a symbolic link"), std::string::npos);
}

TEST_F(SourceTreeTest, ACheckpointThatIsNotCompleteIsLeftOut) {
  // No checkpoint of ours can be opened from this; what counts is SHA256SUMS.
  write("checkpoint-5/checkpoint.json", "{}");
  write("checkpoint-5/SHA256SUMS",
        std::string(64, '0') + "  checkpoint.json\n");
  write("checkpoint-7/trainer_state.json", "{}"); // another program's
  BackupManifest tree = scan();
  EXPECT_EQ(paths(tree),
            std::vector<std::string>{"checkpoint-7/trainer_state.json"});
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("checkpoint.json: is damaged"), std::string::npos)
      << warnings[0];
}

TEST_F(SourceTreeTest, ReadsWhatChangedAndNothingElse) {
  write("a", "abc");
  write("b", "abc");
  BackupManifest first = scan();
  digests(first, nullptr);
  EXPECT_EQ(first.find("a")->sha256, sha256Of("abc"));
  // As if made long after the files were written.
  auto later = std::chrono::floor<std::chrono::seconds>(
                   std::chrono::system_clock::now()) +
               std::chrono::hours(1);
  first.created = later;
  first.files[0].sha256 = std::string(64, '1'); // to see who is believed
  first.files[1].sha256 = std::string(64, '2');
  write("b", "abd");
  BackupManifest second = scan();
  second.files[1].mtimeNs += 1; // file systems with coarse clocks
  digests(second, &first);
  EXPECT_EQ(second.find("a")->sha256, std::string(64, '1'));
  EXPECT_EQ(second.find("b")->sha256, sha256Of("abd"));
  digests(second, &first, true);
  EXPECT_EQ(second.find("a")->sha256, sha256Of("abc"));
  // Written in the second of the last backup: size and time say nothing.
  first.created = later - std::chrono::hours(1);
  BackupManifest third = scan();
  digests(third, &first);
  EXPECT_EQ(third.find("a")->sha256, sha256Of("abc"));
}

TEST_F(SourceTreeTest, AppendedBytesAreNotPartOfAFile) {
  write("log", "abc");
  SourceReader reader(run / "log");
  write("log", "abcdef");
  EXPECT_EQ(reader.digest(3), sha256Of("abc"));
  write("log", "ab");
  EXPECT_THROW(reader.digest(3), SourceChanged);
  EXPECT_THROW(SourceReader(run / "gone"), SourceChanged);
  EXPECT_THROW(SourceReader(run.path), SourceChanged);
  ASSERT_EQ(::mkfifo((run / "pipe").c_str(), 0600), 0);
  EXPECT_THROW(SourceReader(run / "pipe"), SourceChanged);
}

TEST_F(SourceTreeTest, RefusesNamesThatAreNotText) {
  write("a\xff", "x");
  expectError(ExitCode::BadInput, {"a\\xff", "UTF-8"}, [&] { scan(); });
}

} // namespace
} // namespace llamarun
