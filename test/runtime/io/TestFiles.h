//===- TestFiles.h - Files and expectations of the io tests ----*- C++ -*-===//
#pragma once

#include "runtime/io/Safetensors.h"
#include "runtime/support/Error.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <vector>

namespace llamarun {

/// A directory of its own for one test, removed with it.
class TemporaryDirectory {
public:
  TemporaryDirectory() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "llamarun-io-XXXXXX")
            .string();
    if (!::mkdtemp(pattern.data()))
      throw std::runtime_error("mkdtemp failed");
    path = pattern;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::filesystem::path operator/(const std::string &name) const {
    return path / name;
  }
  std::filesystem::path path;
};

inline std::string readAll(const std::filesystem::path &path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

inline void writeAll(const std::filesystem::path &path,
                     const std::string &text) {
  std::ofstream stream(path, std::ios::binary | std::ios::trunc);
  stream << text;
  ASSERT_TRUE(stream.good()) << path;
}

/// Bytes of a safetensors file with this header, made without our writer.
inline std::string safetensorsBytes(const std::string &header,
                                    const std::string &data) {
  uint64_t size = header.size();
  std::string bytes(sizeof(size), '\0');
  std::memcpy(bytes.data(), &size, sizeof(size));
  return bytes + header + data;
}

inline size_t entriesIn(const std::filesystem::path &directory) {
  std::filesystem::directory_iterator begin(directory), end;
  return static_cast<size_t>(std::distance(begin, end));
}

/// Expects `action` to throw Error(code) whose message has all of `parts`.
template <typename Action>
void expectError(ExitCode code, const std::vector<std::string> &parts,
                 Action action) {
  try {
    action();
    ADD_FAILURE() << "no error, expected one with " << parts.at(0);
  } catch (const Error &error) {
    EXPECT_EQ(error.code(), code) << error.what();
    for (const std::string &part : parts)
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
          << "message: " << error.what() << "\nlacks: " << part;
  }
}

inline std::filesystem::path sharedData(const std::string &relative) {
  return std::filesystem::path(LLAMAC_SHARED_DIR) / "data" / relative;
}

#define SKIP_WITHOUT(path)                                                     \
  if (!std::filesystem::exists(path))                                          \
  GTEST_SKIP() << "real data not beside the repository: " << (path)

} // namespace llamarun
