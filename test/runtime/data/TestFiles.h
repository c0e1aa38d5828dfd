//===- TestFiles.h - Files of the data tests --------------------*- C++ -*-===//
#pragma once

#include "runtime/support/Error.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace llamarun::test {

/// A folder that goes away with the object.
class TemporaryFolder {
public:
  TemporaryFolder() {
    static std::atomic<int> count{0};
    path = std::filesystem::path(testing::TempDir()) /
           ("llamarun-data-" + std::to_string(getpid()) + "-" +
            std::to_string(count++));
    std::filesystem::create_directories(path);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::filesystem::path write(const std::string &name,
                              std::string_view text) const {
    std::filesystem::path file = path / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
    return file;
  }
  std::filesystem::path path;
};

inline nlohmann::json readJson(const std::filesystem::path &file) {
  std::ifstream stream(file);
  EXPECT_TRUE(stream.good()) << file;
  return nlohmann::json::parse(stream);
}

/// Data beside the project, absent on most machines.
inline std::filesystem::path sharedData() {
  const char *given = std::getenv("LLAMAC_SHARED_DIR");
  return std::filesystem::path(given ? given : SHARED_DIR) / "data";
}

/// Runs `action`, which must throw an Error of `code` whose message has `part`.
template <typename Action>
void expectError(ExitCode code, std::string_view part, Action action) {
  try {
    action();
    ADD_FAILURE() << "no error, expected one with: " << part;
  } catch (const Error &error) {
    EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(code))
        << error.what();
    EXPECT_NE(std::string_view(error.what()).find(part), std::string_view::npos)
        << "message: " << error.what() << "\nexpected part: " << part;
  }
}

} // namespace llamarun::test

#define SKIP_WITHOUT(path)                                                     \
  if (!std::filesystem::exists(path))                                          \
  GTEST_SKIP() << "needs " << (path)
