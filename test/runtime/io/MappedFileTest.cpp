#include "runtime/io/MappedFile.h"

#include "test/runtime/io/TestFiles.h"

#include <sys/stat.h>

namespace llamarun {
namespace {

TEST(MappedFile, ShowsTheBytesAndSurvivesReplacement) {
  TemporaryDirectory dir;
  writeAll(dir / "f", std::string("a\0b", 3));
  MappedFile file = MappedFile::open(dir / "f");
  EXPECT_EQ(file.text(), std::string_view("a\0b", 3));
  writeAll(dir / "g", "other");
  std::filesystem::rename(dir / "g", dir / "f");
  MappedFile moved = std::move(file);
  EXPECT_EQ(moved.text(), std::string_view("a\0b", 3));
  EXPECT_EQ(moved.path(), dir / "f");
  moved = MappedFile::open(dir / "f");
  EXPECT_EQ(moved.text(), "other");
}

TEST(MappedFile, EmptyFile) {
  TemporaryDirectory dir;
  writeAll(dir / "f", "");
  EXPECT_TRUE(MappedFile::open(dir / "f").bytes().empty());
}

TEST(MappedFile, NamesPathAndReason) {
  TemporaryDirectory dir;
  expectError(ExitCode::BadInput, {(dir / "none").string(), "No such file"},
              [&] { MappedFile::open(dir / "none"); });
  expectError(ExitCode::BadInput, {dir.path.string(), "directory"},
              [&] { MappedFile::open(dir.path); });
}

TEST(MappedFile, FifoIsRefusedWithoutWaiting) {
  TemporaryDirectory dir;
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  expectError(ExitCode::BadInput, {"fifo"},
              [&] { MappedFile::open(dir / "fifo"); });
}

} // namespace
} // namespace llamarun
