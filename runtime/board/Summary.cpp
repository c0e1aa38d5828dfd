#include "runtime/board/Summary.h"

#include "runtime/board/Crc32c.h"

#include <algorithm>
#include <bit>

namespace llamarun {
namespace {

template <typename Int> void appendLittleEndian(std::string &out, Int value) {
  for (std::size_t i = 0; i < sizeof value; ++i)
    out += static_cast<char>((value >> (8 * i)) & 255);
}

void appendVarint(std::string &out, std::uint64_t value) {
  for (; value >= 128; value >>= 7)
    out += static_cast<char>((value & 127) | 128);
  out += static_cast<char>(value);
}

// Wire types of protobuf.
enum Wire : unsigned { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void appendKey(std::string &out, unsigned field, Wire wire) {
  appendVarint(out, field << 3 | wire);
}

void appendNumber(std::string &out, unsigned field, std::uint64_t value) {
  appendKey(out, field, kVarint);
  appendVarint(out, value);
}

void appendBytes(std::string &out, unsigned field, std::string_view bytes) {
  appendKey(out, field, kBytes);
  appendVarint(out, bytes.size());
  out += bytes;
}

void appendFloat(std::string &out, unsigned field, float value) {
  appendKey(out, field, kFixed32);
  appendLittleEndian(out, std::bit_cast<std::uint32_t>(value));
}

void appendDouble(std::string &out, unsigned field, double value) {
  // proto3 leaves out zeros.
  if (value == 0)
    return;
  appendKey(out, field, kFixed64);
  appendLittleEndian(out, std::bit_cast<std::uint64_t>(value));
}

void appendDoubles(std::string &out, unsigned field,
                   const std::vector<double> &values) {
  std::string packed;
  for (double value : values)
    appendLittleEndian(packed, std::bit_cast<std::uint64_t>(value));
  appendBytes(out, field, packed);
}

std::string event(double seconds, std::uint64_t step) {
  std::string out;
  appendDouble(out, 1, seconds);
  if (step)
    appendNumber(out, 2, step);
  return out;
}

} // namespace

void Summary::add(const std::string &value) { appendBytes(message, 1, value); }

void Summary::scalar(std::string_view tag, double value) {
  std::string out;
  appendBytes(out, 1, tag);
  appendFloat(out, 2, static_cast<float>(value));
  add(out);
}

void Summary::histogram(std::string_view tag,
                        const std::vector<std::uint32_t> &values) {
  if (values.empty())
    return;
  auto [least, most] = std::ranges::minmax(values);
  double sum = 0, squares = 0;
  std::vector<double> limits, counts(most + std::size_t{1}, 0.0);
  for (std::uint32_t value : values) {
    sum += value;
    squares += static_cast<double>(value) * value;
    ++counts[value];
  }
  // A bucket holds what is below its limit, from the limit before on.
  for (std::size_t i = 0; i < counts.size(); ++i)
    limits.push_back(static_cast<double>(i) + 0.5);
  std::string histo;
  appendDouble(histo, 1, least);
  appendDouble(histo, 2, most);
  appendDouble(histo, 3, static_cast<double>(values.size()));
  appendDouble(histo, 4, sum);
  appendDouble(histo, 5, squares);
  appendDoubles(histo, 6, limits);
  appendDoubles(histo, 7, counts);
  std::string out;
  appendBytes(out, 1, tag);
  appendBytes(out, 5, histo);
  add(out);
}

void Summary::text(std::string_view tag, std::string_view text) {
  std::string dimension, shape, tensor;
  appendNumber(dimension, 1, 1);
  appendBytes(shape, 2, dimension);
  appendNumber(tensor, 1, 7); // DT_STRING
  appendBytes(tensor, 2, shape);
  appendBytes(tensor, 8, text);
  std::string plugin, metadata;
  appendBytes(plugin, 1, "text");
  appendBytes(metadata, 1, plugin);
  std::string out;
  appendBytes(out, 1, std::string(tag) + "/text_summary");
  appendBytes(out, 8, tensor);
  appendBytes(out, 9, metadata);
  add(out);
}

std::string versionEvent(double seconds) {
  std::string out = event(seconds, 0);
  appendBytes(out, 3, "brain.Event:2");
  return out;
}

std::string summaryEvent(double seconds, std::uint64_t step,
                         const Summary &summary) {
  std::string out = event(seconds, step);
  appendBytes(out, 5, summary.bytes());
  return out;
}

std::string restartEvent(double seconds, std::uint64_t step) {
  std::string out = event(seconds, step), session;
  appendNumber(session, 1, 1); // SessionLog.START
  appendBytes(out, 7, session);
  return out;
}

std::string tfRecord(std::string_view data) {
  std::string out;
  appendLittleEndian(out, static_cast<std::uint64_t>(data.size()));
  appendLittleEndian(out, maskedCrc32c(out));
  out += data;
  appendLittleEndian(out, maskedCrc32c(data));
  return out;
}

} // namespace llamarun
