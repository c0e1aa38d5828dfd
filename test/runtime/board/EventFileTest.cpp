#include "runtime/board/EventFile.h"

#include "runtime/support/Error.h"
#include "test/runtime/train/TrainTestFiles.h"

#include <filesystem>

namespace llamarun {
namespace {

TEST(EventFile, HoldsRecordsAsTheyAreWritten) {
  TestDirectory directory;
  EXPECT_FALSE(holdsEvents(directory / "board"));
  EventFile file(directory / "board", 1700000000.25);
  EXPECT_TRUE(holdsEvents(directory / "board"));
  EXPECT_TRUE(file.path().filename().string().starts_with(
      "events.out.tfevents.1700000000."));
  file.write("one");
  std::string expected = tfRecord(versionEvent(1700000000.25));
  expected += tfRecord("one");
  EXPECT_EQ(contents(file.path()), expected);
}

TEST(EventFile, IsReadAfterThoseThatAreThere) {
  TestDirectory directory;
  EventFile first(directory.path, 5), second(directory.path, 5);
  EXPECT_LT(first.path(), second.path());
  directory.write("events.out.tfevents.0000000009.zzz.1.0", "");
  EventFile third(directory.path, 6);
  EXPECT_TRUE(third.path().filename().string().starts_with(
      "events.out.tfevents.0000000010."));
}

TEST(EventFile, RefusesAPlaceThatIsNone) {
  TestDirectory directory;
  auto file = directory.write("file", "");
  expectFailure(ExitCode::Storage, {"file"}, [&] { EventFile f(file, 1); });
}

} // namespace
} // namespace llamarun
