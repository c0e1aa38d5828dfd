//===- EventFile.h - events.out.tfevents.* ---------------------*- C++ -*-===//
#pragma once

#include "runtime/board/Summary.h"

#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace llamarun {

/// Whether TensorBoard would find events in `directory` itself.
bool holdsEvents(const std::filesystem::path &directory);

/// An event file under construction. Records are on their way to the disk when
/// write() returns: a TensorBoard that watches the folder sees them. A disk
/// that is full ends nothing: records are kept until there is room.
class EventFile {
public:
  /// Creates `directory` and in it
  /// events.out.tfevents.<seconds>.<host>.<pid>.<n>, as SummaryWriter of
  /// PyTorch names them. Readers take the files of a folder in the order of
  /// their names: this one's is after all that are there, whatever the clock
  /// says. Its first record is the version. \param seconds since 1970.
  /// \throws Error(Storage).
  EventFile(const std::filesystem::path &directory, double seconds,
            std::function<void(const std::string &)> warn = {});

  void write(std::string_view event);
  const std::filesystem::path &path() const { return file; }

private:
  struct Close {
    void operator()(std::FILE *stream) const { std::fclose(stream); }
  };
  std::filesystem::path file;
  std::function<void(const std::string &)> warn;
  std::unique_ptr<std::FILE, Close> stream;
  std::string kept; ///< records, the first perhaps without its begin
};

} // namespace llamarun
