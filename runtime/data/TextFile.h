//===- TextFile.h - Reading input files with limits -------------*- C++ -*-===//
//
// Input files are hostile: sizes are bounded before memory is taken.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

namespace llamarun {

/// The whole of `path`. Throws BadInput if it cannot be read, is a folder or
/// has more than `maxBytes` bytes.
std::string readWholeFile(const std::filesystem::path &path, size_t maxBytes);

/// Reads a file line by line in bounded memory. Lines end with LF; one CR
/// before it is dropped, so is a UTF-8 byte order mark at the start of the
/// file. The last line need not end with LF.
class LineReader {
public:
  /// Throws BadInput if `path` cannot be opened.
  explicit LineReader(const std::filesystem::path &path);

  /// Stores the next line in `line`; false at the end of the file. Throws
  /// BadInput "file:line: ..." on NUL, on invalid UTF-8, on a line of more than
  /// 16 MiB, and when the file cannot be read.
  bool next(std::string &line);

  /// Number of the line that next() returned last, from 1.
  int lineNumber() const { return number; }
  const std::string &name() const { return fileName; }

private:
  struct Close {
    void operator()(std::FILE *file) const { std::fclose(file); }
  };
  bool fill();
  std::string fileName;
  std::unique_ptr<std::FILE, Close> file;
  std::string buffer;
  size_t position = 0;
  int number = 0;
};

} // namespace llamarun
