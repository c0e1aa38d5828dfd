#include "runtime/io/Manifest.h"

#include "test/runtime/io/TestFiles.h"

namespace llamarun {
namespace {

TEST(Manifest, DigestsAreThoseOfTheStandard) {
  // FIPS 180-4's examples (NIST, SHA256.pdf).
  EXPECT_EQ(sha256Of(std::string_view("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256Of(std::string_view(
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256Of(std::string_view("")),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Manifest, IsWrittenAndChecked) {
  TemporaryDirectory directory;
  writeAll(directory / "b", "abc");
  writeAll(directory / "a", "");
  writeManifest(directory.path, manifestOf(directory.path));
  EXPECT_EQ(
      readAll(directory / kManifestFile),
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a\n"
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  b\n");
  EXPECT_EQ(checkManifest(directory.path).size(), 2u);
}

TEST(Manifest, NamesWhatIsWrong) {
  TemporaryDirectory directory;
  auto refused = [&](const std::string &what) {
    expectError(ExitCode::BadInput, {what},
                [&] { checkManifest(directory.path); });
  };
  refused(kManifestFile); // missing
  writeAll(directory / "a", "abc");
  writeManifest(directory.path, manifestOf(directory.path));
  writeAll(directory / "a", "abd");
  refused("/a: is damaged");
  std::filesystem::remove(directory / "a");
  refused("/a");
  std::string digest = sha256Of(std::string_view("abc"));
  for (std::string line :
       {digest, digest + "  a", digest + "  ../a\n", digest + "  ..\n",
        digest.substr(1) + "  a\n", digest + " *a\n", digest + "  \n",
        std::string("\n"), "G" + digest.substr(1) + "  a\n"}) {
    SCOPED_TRACE(line);
    writeAll(directory / kManifestFile, line);
    refused("line 1");
  }
  writeAll(directory / "a", "abc");
  writeAll(directory / kManifestFile, digest + "  a\n" + digest + "  a\n");
  refused("twice");
}

} // namespace
} // namespace llamarun
