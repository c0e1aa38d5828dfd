//===- Summary.h - Values of TensorBoard, as protocol buffers --*- C++ -*-===//
//
// The few messages that a training run needs, in protobuf's wire format. Field
// numbers are those of event.proto, summary.proto, tensor.proto and the text
// plugin's plugin_data.proto, all of TensorBoard (tensorboard/compat/proto).
// Fields are written in the order of their numbers, as protobuf does.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace llamarun {

/// Values of one step.
class Summary {
public:
  /// A point of the scalar plot `tag`.
  void scalar(std::string_view tag, double value);
  /// A distribution, with the buckets TensorBoard's own writers use when every
  /// value is a small whole number: one for each number from 0 to the largest.
  void histogram(std::string_view tag,
                 const std::vector<std::uint32_t> &values);
  /// Markdown, on the text page as `tag` (written as "<tag>/text_summary", as
  /// SummaryWriter.add_text of PyTorch does). \param text UTF-8.
  void text(std::string_view tag, std::string_view text);

  bool empty() const { return message.empty(); }
  /// The message Summary.
  const std::string &bytes() const { return message; }

private:
  void add(const std::string &value);
  std::string message;
};

/// Event messages. \param seconds since 1970.
std::string versionEvent(double seconds);
std::string summaryEvent(double seconds, std::uint64_t step,
                         const Summary &summary);
/// Tells readers that what earlier files of the folder have at `step` and
/// later is void: it comes again (SummaryWriter's purge_step).
std::string restartEvent(double seconds, std::uint64_t step);

/// One record of a TFRecord file: length, its checksum, data, their checksum.
std::string tfRecord(std::string_view data);

} // namespace llamarun
