//===- SafetensorsHeader.cpp - The JSON header of .safetensors ------------===//
#include "runtime/io/SafetensorsHeader.h"

#include "runtime/io/QuoteName.h"
#include "runtime/support/Error.h"

#include <nlohmann/json.hpp>

#include <unordered_set>

namespace llamarun {
namespace {

using nlohmann::json;

// Events of the parser, checked against the one form a header may have:
//   { "__metadata__": {string: string, ...},
//     name: {"dtype": string, "shape": [n, ...], "data_offsets": [n, n]}, ...}
class HeaderHandler final : public json::json_sax_t {
public:
  HeaderHandler(SafetensorsHeader &header, const std::filesystem::path &path)
      : header(header), path(path) {}

  bool start_object(size_t) override {
    switch (state) {
    case State::Start:
      state = State::Root;
      return true;
    case State::EntryStart:
      state = State::Entry;
      seenDType = seenShape = seenOffsets = false;
      return true;
    case State::MetadataStart:
      state = State::Metadata;
      return true;
    default:
      failHere("unexpected object");
    }
  }

  bool key(std::string &text) override {
    if (state == State::Root) {
      if (!names.insert(text).second)
        fail(ExitCode::BadInput, path.string(), ": tensor ", quoteName(text),
             " appears twice in the header");
      if (text == "__metadata__") {
        state = State::MetadataStart;
      } else {
        entry = {};
        entry.name = text;
        state = State::EntryStart;
      }
    } else if (state == State::Entry) {
      bool *seen = nullptr;
      if (text == "dtype")
        seen = &seenDType, state = State::DTypeValue;
      else if (text == "shape")
        seen = &seenShape, state = State::ShapeStart;
      else if (text == "data_offsets")
        seen = &seenOffsets, state = State::OffsetsStart;
      else
        failHere("unknown field " + quoteName(text));
      if (std::exchange(*seen, true))
        failHere("field " + quoteName(text) + " appears twice");
    } else { // Metadata
      metadataKey = text;
      if (header.metadata.count(text))
        failHere("metadata key " + quoteName(text) + " appears twice");
      state = State::MetadataValue;
    }
    return true;
  }

  bool end_object() override {
    if (state == State::Entry) {
      if (!seenDType || !seenShape || !seenOffsets)
        failHere("needs dtype, shape and data_offsets");
      header.entries.push_back(std::move(entry));
      state = State::Root;
    } else if (state == State::Metadata) {
      state = State::Root;
    } else {
      state = State::End;
    }
    return true;
  }

  bool string(std::string &text) override {
    if (state == State::DTypeValue) {
      std::optional<DType> dtype = parseDType(text);
      if (!dtype)
        failHere("unknown dtype " + quoteName(text));
      entry.dtype = *dtype;
      state = State::Entry;
      return true;
    }
    if (state == State::MetadataValue) {
      header.metadata.emplace(metadataKey, text);
      state = State::Metadata;
      return true;
    }
    failHere("unexpected string");
  }

  bool start_array(size_t) override {
    if (state == State::ShapeStart)
      state = State::Shape;
    else if (state == State::OffsetsStart)
      state = State::Offsets, offsetCount = 0;
    else
      failHere("unexpected list");
    return true;
  }

  bool number_unsigned(uint64_t value) override {
    if (state == State::Shape) {
      // Far above any real rank; keeps messages and memory in proportion.
      if (entry.shape.size() == 64)
        failHere("shape has more than 64 dimensions");
      entry.shape.push_back(value);
      return true;
    }
    if (state == State::Offsets) {
      if (offsetCount == 2)
        failHere("data_offsets needs exactly two numbers");
      (offsetCount++ == 0 ? entry.begin : entry.end) = value;
      return true;
    }
    failHere("unexpected number");
  }

  bool end_array() override {
    if (state == State::Offsets && offsetCount != 2)
      failHere("data_offsets needs exactly two numbers");
    state = State::Entry;
    return true;
  }

  bool null() override { failHere("unexpected null"); }
  bool boolean(bool) override { failHere("unexpected boolean"); }
  bool binary(json::binary_t &) override { failHere("unexpected binary"); }
  bool number_integer(int64_t) override { failHere("negative number"); }
  bool number_float(double, const std::string &) override {
    failHere("number that is not an unsigned 64-bit integer");
  }
  bool parse_error(size_t position, const std::string &,
                   const json::exception &) override {
    fail(ExitCode::BadInput, path.string(),
         ": malformed JSON in the header at byte ", position + 8);
  }

private:
  enum class State {
    Start,
    Root,
    EntryStart,
    Entry,
    DTypeValue,
    ShapeStart,
    Shape,
    OffsetsStart,
    Offsets,
    MetadataStart,
    Metadata,
    MetadataValue,
    End,
  };

  [[noreturn]] void failHere(const std::string &what) const {
    bool inMetadata = state == State::MetadataStart ||
                      state == State::Metadata || state == State::MetadataValue;
    if (inMetadata)
      fail(ExitCode::BadInput, path.string(), ": __metadata__: ", what);
    if (state == State::Start || state == State::Root || state == State::End)
      fail(ExitCode::BadInput, path.string(), ": header: ", what);
    fail(ExitCode::BadInput, path.string(), ": tensor ", quoteName(entry.name),
         ": ", what);
  }

  SafetensorsHeader &header;
  const std::filesystem::path &path;
  State state = State::Start;
  SafetensorsEntry entry;
  std::string metadataKey;
  std::unordered_set<std::string> names;
  bool seenDType = false, seenShape = false, seenOffsets = false;
  int offsetCount = 0;
};

} // namespace

SafetensorsHeader parseSafetensorsHeader(std::string_view text,
                                         const std::filesystem::path &path) {
  // The parser would skip a byte order mark or white space before the object.
  if (text.empty() || text.front() != '{')
    fail(ExitCode::BadInput, path.string(), ": header does not start with '{'");
  // ... and takes a NUL for the end of the text.
  if (text.find('\0') != text.npos)
    fail(ExitCode::BadInput, path.string(), ": NUL byte in the header");
  SafetensorsHeader header;
  HeaderHandler handler(header, path);
  json::sax_parse(text.begin(), text.end(), &handler);
  return header;
}

std::optional<uint64_t> byteCount(DType dtype,
                                  std::span<const uint64_t> shape) {
  uint64_t bits = bitsOf(dtype);
  uint64_t elements = 1;
  for (uint64_t extent : shape)
    if (__builtin_mul_overflow(elements, extent, &elements))
      return std::nullopt;
  if (__builtin_mul_overflow(elements, bits, &bits) || bits % 8 != 0)
    return std::nullopt;
  return bits / 8;
}

} // namespace llamarun
