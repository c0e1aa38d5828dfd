//===- TrainTestFiles.h - Directories and errors of these tests -*- C++ -*-===//
#pragma once

#include "runtime/support/Error.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace llamarun {

/// A directory of its own for one test, removed with it.
class TestDirectory {
public:
  TestDirectory() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "llamarun-train-XXXXXX")
            .string();
    if (!::mkdtemp(pattern.data()))
      throw std::runtime_error("mkdtemp failed");
    path = pattern;
  }
  ~TestDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::filesystem::path operator/(const std::string &name) const {
    return path / name;
  }
  /// Writes a file below this directory, with its folders.
  std::filesystem::path write(const std::string &name,
                              const std::string &text) const {
    std::filesystem::create_directories((path / name).parent_path());
    std::ofstream(path / name, std::ios::binary) << text;
    return path / name;
  }
  std::filesystem::path path;
};

inline std::string contents(const std::filesystem::path &file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// Expects `action` to throw Error(code) whose message has all of `parts`.
template <typename Action>
void expectFailure(ExitCode code, const std::vector<std::string> &parts,
                   Action action) {
  try {
    action();
    ADD_FAILURE() << "no error, expected one with " << parts.at(0);
  } catch (const Error &error) {
    EXPECT_EQ(error.code(), code) << error.what();
    for (auto &part : parts)
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
          << "message: " << error.what() << "\nlacks: " << part;
  }
}

/// The demo checkpoint of the repository.
inline std::filesystem::path demoModel() {
  return std::filesystem::path(LLAMAC_SOURCE_DIR) / "examples/demo/model";
}

} // namespace llamarun
