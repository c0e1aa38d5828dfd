#include "runtime/io/AtomicFile.h"

#include "test/runtime/io/TestFiles.h"

#include <csignal>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace llamarun {
namespace {

// No file of this process may grow beyond `bytes` while this lives; write(2)
// then fails with EFBIG, after a short write.
class FileSizeLimit {
public:
  explicit FileSizeLimit(rlim_t bytes) {
    oldHandler = std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &old);
    rlimit limit{bytes, old.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old);
    std::signal(SIGXFSZ, oldHandler);
  }

private:
  rlimit old{};
  void (*oldHandler)(int);
};

// A file system of `size` bytes; `mounted` is false where that is not allowed.
class TinyFileSystem {
public:
  explicit TinyFileSystem(const std::filesystem::path &at) : at(at) {
    std::filesystem::create_directories(at);
    mounted = ::mount("tmpfs", at.c_str(), "tmpfs", 0, "size=64k") == 0;
  }
  ~TinyFileSystem() {
    if (mounted)
      ::umount2(at.c_str(), MNT_DETACH);
  }
  std::filesystem::path at;
  bool mounted;
};

TEST(AtomicFile, AppearsOnlyWithCommit) {
  TemporaryDirectory dir;
  writeAll(dir / "f", "old");
  {
    AtomicFile file(dir / "f");
    file.write("ne");
    file.write("w");
    EXPECT_EQ(readAll(dir / "f"), "old");
    std::string temporary = "f.tmp-" + std::to_string(::getpid());
    EXPECT_TRUE(std::filesystem::exists(dir / temporary));
    file.commit();
  }
  EXPECT_EQ(readAll(dir / "f"), "new");
  EXPECT_EQ(entriesIn(dir.path), 1u);
}

TEST(AtomicFile, AbandonedLeavesNothing) {
  TemporaryDirectory dir;
  { AtomicFile(dir / "f").write("x"); }
  EXPECT_EQ(entriesIn(dir.path), 0u);
}

TEST(AtomicFile, ReplacesATemporaryLeftByAKilledProcess) {
  TemporaryDirectory dir;
  writeAll(dir / ("f.tmp-" + std::to_string(::getpid())), "garbage");
  writeFileAtomically(dir / "f", "new");
  EXPECT_EQ(readAll(dir / "f"), "new");
  EXPECT_EQ(entriesIn(dir.path), 1u);
}

TEST(AtomicFile, RelativePathInTheCurrentDirectory) {
  TemporaryDirectory dir;
  std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(dir.path);
  EXPECT_NO_THROW(writeFileAtomically("plain", "x"));
  std::filesystem::current_path(before);
  EXPECT_EQ(readAll(dir / "plain"), "x");
}

TEST(AtomicFile, ShortWriteIsAnErrorAndTheOldFileStays) {
  TemporaryDirectory dir;
  writeAll(dir / "f", "old");
  {
    FileSizeLimit limit(1000);
    expectError(
        ExitCode::Storage, {(dir / "f").string(), "File too large"},
        [&] { writeFileAtomically(dir / "f", std::string(5000, 'x')); });
  }
  EXPECT_EQ(readAll(dir / "f"), "old");
  EXPECT_EQ(entriesIn(dir.path), 1u);
}

TEST(AtomicFile, FullDiskIsAnErrorAndTheOldFileStays) {
  TemporaryDirectory dir;
  TinyFileSystem disk(dir / "disk");
  if (!disk.mounted)
    GTEST_SKIP() << "may not mount a tmpfs here";
  writeAll(disk.at / "f", "old");
  expectError(
      ExitCode::Storage, {(disk.at / "f").string(), "No space left on device"},
      [&] { writeFileAtomically(disk.at / "f", std::string(200'000, 'x')); });
  EXPECT_EQ(readAll(disk.at / "f"), "old");
  EXPECT_EQ(entriesIn(disk.at), 1u);
}

TEST(AtomicFile, FullDiskKeepsEveryFileOfASet) {
  TemporaryDirectory dir;
  TinyFileSystem disk(dir / "disk");
  if (!disk.mounted)
    GTEST_SKIP() << "may not mount a tmpfs here";
  writeAll(disk.at / "a", "old a");
  writeAll(disk.at / "b", "old b");
  expectError(ExitCode::Storage, {(disk.at / "b").string(), "No space left"},
              [&] {
                AtomicFileSet set;
                set.add(disk.at / "a").write("new a");
                set.add(disk.at / "b").write(std::string(200'000, 'x'));
                set.commit();
              });
  EXPECT_EQ(readAll(disk.at / "a"), "old a");
  EXPECT_EQ(readAll(disk.at / "b"), "old b");
  EXPECT_EQ(entriesIn(disk.at), 2u);
}

TEST(AtomicFile, ReadOnlyFileSystem) {
  TemporaryDirectory dir;
  TinyFileSystem disk(dir / "disk");
  if (!disk.mounted ||
      ::mount("", disk.at.c_str(), "", MS_REMOUNT | MS_RDONLY, "") != 0)
    GTEST_SKIP() << "may not mount a tmpfs here";
  expectError(ExitCode::Storage,
              {(disk.at / "f").string(), "Read-only file system"},
              [&] { writeFileAtomically(disk.at / "f", "x"); });
}

TEST(AtomicFile, ForbiddenDirectory) {
  TemporaryDirectory dir;
  ::chmod(dir.path.c_str(), 0555);
  // Root may write everywhere: become nobody for a moment.
  bool root = ::geteuid() == 0;
  if (root && ::seteuid(65534) != 0)
    GTEST_SKIP() << "cannot become another user";
  expectError(ExitCode::Storage, {(dir / "f").string(), "Permission denied"},
              [&] { writeFileAtomically(dir / "f", "x"); });
  if (root) {
    ASSERT_EQ(::seteuid(0), 0);
  }
  ::chmod(dir.path.c_str(), 0700);
}

TEST(AtomicFile, MissingDirectoryAndTargetThatIsOne) {
  TemporaryDirectory dir;
  expectError(ExitCode::Storage, {(dir / "no/f").string(), "No such file"},
              [&] { writeFileAtomically(dir / "no/f", "x"); });
  std::filesystem::create_directory(dir / "d");
  expectError(ExitCode::Storage, {(dir / "d").string(), "replace"},
              [&] { writeFileAtomically(dir / "d", "x"); });
  EXPECT_EQ(entriesIn(dir.path), 1u);
}

TEST(AtomicFileSet, AllOrNothing) {
  TemporaryDirectory dir;
  {
    AtomicFileSet set;
    set.add(dir / "a").write("1");
    set.add(dir / "b").write("2");
    EXPECT_FALSE(std::filesystem::exists(dir / "a"));
    set.commit();
  }
  EXPECT_EQ(readAll(dir / "a") + readAll(dir / "b"), "12");
  EXPECT_EQ(entriesIn(dir.path), 2u);
}

TEST(MakeDirectories, CreatesParentsAndNamesAFileInTheWay) {
  TemporaryDirectory dir;
  makeDirectories(dir / "a/b/c");
  makeDirectories(dir / "a/b/c");
  EXPECT_TRUE(std::filesystem::is_directory(dir / "a/b/c"));
  writeAll(dir / "file", "");
  expectError(ExitCode::Storage, {(dir / "file").string()},
              [&] { makeDirectories(dir / "file"); });
  expectError(ExitCode::Storage, {(dir / "file/x").string()},
              [&] { makeDirectories(dir / "file/x"); });
}

} // namespace
} // namespace llamarun
