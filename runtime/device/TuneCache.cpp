#include "runtime/device/TuneCache.h"

#include "runtime/io/AtomicFile.h"
#include "runtime/io/JsonFile.h"
#include "runtime/support/Error.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <charconv>
#include <cmath>
#include <filesystem>

namespace llamarun {
namespace {

constexpr char kFormat[] = "llamarun GEMM tuning 1";

std::string toText(const TunedAlgorithm &algorithm) {
  std::string text;
  for (auto word : algorithm.bits)
    for (int shift = 60; shift >= 0; shift -= 4)
      text += "0123456789abcdef"[word >> shift & 15];
  char number[32];
  auto end = std::to_chars(number, number + sizeof number,
                           algorithm.microseconds, std::chars_format::fixed, 2)
                 .ptr;
  return text + " " + std::string(number, end);
}

std::optional<TunedAlgorithm> fromText(const std::string &text) {
  TunedAlgorithm algorithm;
  constexpr std::size_t kDigits = 128;
  if (text.size() < kDigits + 2 || text[kDigits] != ' ')
    return std::nullopt;
  const char *at = text.data();
  for (auto &word : algorithm.bits) {
    auto [end, error] = std::from_chars(at, at + 16, word, 16);
    if (error != std::errc() || end != at + 16)
      return std::nullopt;
    at += 16;
  }
  const char *last = text.data() + text.size();
  auto [end, error] = std::from_chars(at + 1, last, algorithm.microseconds);
  if (error != std::errc() || end != last ||
      !std::isfinite(algorithm.microseconds))
    return std::nullopt;
  return algorithm;
}

/// XXH3-64 of all shapes and texts.
std::string checksumOf(const std::map<std::string, std::string> &texts) {
  std::string all;
  for (auto &[shape, text] : texts)
    all += shape + "\n" + text + "\n";
  auto hash = XXH3_64bits(all.data(), all.size());
  std::string digits;
  for (int shift = 60; shift >= 0; shift -= 4)
    digits += "0123456789abcdef"[hash >> shift & 15];
  return digits;
}

} // namespace

TuneCache::TuneCache(std::string file, std::string device, std::string library)
    : file(std::move(file)), device(std::move(device)),
      library(std::move(library)) {}

std::string TuneCache::load() {
  algorithms.clear();
  changed = false;
  std::error_code ignored;
  if (file.empty() || !std::filesystem::exists(file, ignored))
    return "";
  try {
    JsonFile json = JsonFile::open(file);
    if (json.getString("format", "") != kFormat)
      return file + ": not a file of tuned GEMMs; tuning anew";
    auto itsDevice = json.getString("device", "");
    auto itsLibrary = json.getString("library", "");
    if (itsDevice != device || itsLibrary != library)
      return file + ": made for " + itsDevice + " with " + itsLibrary +
             ", this is " + device + " with " + library + "; tuning anew";
    auto texts = json.getStringMap("algorithms");
    bool whole = json.getString("checksum", "") == checksumOf(texts);
    for (auto &[shape, text] : texts)
      if (auto algorithm = fromText(text))
        algorithms[shape] = *algorithm;
      else
        whole = false;
    if (whole)
      return "";
    algorithms.clear();
    return file + ": damaged; tuning anew";
  } catch (const Error &error) {
    algorithms.clear();
    return std::string(error.what()) + "; tuning anew";
  }
}

std::string TuneCache::save() {
  if (file.empty() || !changed)
    return "";
  std::map<std::string, std::string> texts;
  for (auto &[shape, algorithm] : algorithms)
    texts[shape] = toText(algorithm);
  nlohmann::ordered_json json;
  json["format"] = kFormat;
  json["device"] = device;
  json["library"] = library;
  json["checksum"] = checksumOf(texts);
  json["algorithms"] = texts;
  changed = false; // tried once: the next program need not say it again
  try {
    writeFileAtomically(
        file, json.dump(1, ' ', false,
                        nlohmann::ordered_json::error_handler_t::replace) +
                  "\n");
  } catch (const Error &error) {
    return std::string(error.what()) + "; tuned GEMMs are not kept";
  }
  return "";
}

std::optional<TunedAlgorithm> TuneCache::find(const std::string &shape) const {
  auto found = algorithms.find(shape);
  if (found == algorithms.end())
    return std::nullopt;
  return found->second;
}

void TuneCache::put(const std::string &shape, const TunedAlgorithm &algorithm) {
  algorithms[shape] = algorithm;
  changed = true;
}

} // namespace llamarun
