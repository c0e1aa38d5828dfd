#include "runtime/train/SettingsAgreement.h"

#include "runtime/io/MappedFile.h"
#include "runtime/io/PeftAdapter.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <cstdio>
#include <span>
#include <string_view>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace llamarun {
namespace {

class Hash {
public:
  Hash() { XXH3_64bits_reset(&state); }
  void add(const void *bytes, std::size_t size) {
    if (size) // an empty file has no address
      XXH3_64bits_update(&state, bytes, size);
  }
  /// With its length: "ab", "c" is not "a", "bc".
  template <class T> void add(std::span<const T> values) {
    std::uint64_t count = values.size();
    add(&count, sizeof(count));
    add(values.data(), values.size_bytes());
  }
  void add(std::string_view text) { add(std::span<const char>(text)); }
  std::string text() const {
    char digits[17];
    std::snprintf(digits, sizeof(digits), "%016llx",
                  static_cast<unsigned long long>(XXH3_64bits_digest(&state)));
    return digits;
  }

private:
  XXH3_state_t state;
};

/// Names and values, each ended by a NUL: neither a flag nor a path holds one.
std::string pack(const Settings &settings) {
  std::string bytes;
  for (auto &[name, value] : settings)
    bytes += name + '\0' + value + '\0';
  return bytes;
}

Settings unpack(unsigned rank, std::string_view bytes) {
  Settings settings;
  auto word = [&] {
    auto end = bytes.find('\0');
    if (end == bytes.npos)
      fail(ExitCode::PeerLost, "rank ", rank,
           " sent something else where its settings were due");
    std::string text(bytes.substr(0, end));
    bytes.remove_prefix(end + 1);
    return text;
  };
  while (!bytes.empty()) {
    auto name = word();
    settings[name] = word();
  }
  return settings;
}

/// "rank 1", "ranks 0, 2, 5"
std::string rankList(const std::vector<unsigned> &ranks) {
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (std::size_t i = 0; i < ranks.size(); ++i)
    text += (i ? ", " : "") + std::to_string(ranks[i]);
  return text;
}

/// "42 on ranks 0, 2; not given on rank 1"
std::string valuesOf(const std::string &name,
                     const std::vector<Settings> &theirs) {
  // In order of the lowest rank that has it.
  std::vector<std::pair<std::string, std::vector<unsigned>>> values;
  for (unsigned rank = 0; rank < theirs.size(); ++rank) {
    auto found = theirs[rank].find(name);
    std::string value =
        found == theirs[rank].end() ? "not given" : found->second;
    auto same =
        std::ranges::find(values, value, [](auto &v) { return v.first; });
    if (same == values.end())
      same = values.insert(values.end(), {value, {}});
    same->second.push_back(rank);
  }
  std::string text;
  for (auto &[value, ranks] : values)
    text += (text.empty() ? "" : "; ") + value + " on " + rankList(ranks);
  return text;
}

} // namespace

void agreeOnSettings(const Settings &mine, const Ranks &ranks) {
  auto all = ranks.gather(pack(mine));
  std::vector<Settings> theirs;
  Settings any;
  for (unsigned rank = 0; rank < all.size(); ++rank) {
    theirs.push_back(unpack(rank, all[rank]));
    any.insert(theirs.back().begin(), theirs.back().end());
  }
  std::string differing;
  for (auto &[name, value] : any) {
    bool same = std::ranges::all_of(theirs, [&](auto &settings) {
      auto found = settings.find(name);
      return found != settings.end() && found->second == value;
    });
    if (!same)
      differing += (differing.empty() ? "" : ". ") + name + " is " +
                   valuesOf(name, theirs);
  }
  if (!differing.empty())
    fail(ExitCode::Usage, "the ranks were not told the same: ", differing);
}

Settings fingerprintsOf(const std::vector<Dataset> &splits) {
  Settings settings;
  for (auto &data : splits) {
    Hash hash;
    for (auto &ids : data.sequences)
      hash.add(std::span<const std::int32_t>(ids));
    hash.add(std::span<const float>(data.labels));
    settings["--data (" + data.name + ")"] =
        std::to_string(data.size()) + " examples with hash " + hash.text();
  }
  return settings;
}

std::string fingerprintOf(const HfCheckpoint &checkpoint) {
  constexpr std::size_t kHead = 4096;
  Hash hash;
  for (auto &name : checkpoint.names()) {
    const TensorView &tensor = *checkpoint.find(name);
    hash.add(name);
    hash.add(nameOf(tensor.dtype));
    hash.add(std::span<const std::uint64_t>(tensor.shape));
    hash.add(tensor.bytes.subspan(0, std::min(kHead, tensor.bytes.size())));
  }
  return "tensors with hash " + hash.text();
}

std::string fingerprintOfAdapter(const std::filesystem::path &path) {
  Hash hash;
  if (std::filesystem::is_directory(path))
    for (const char *name : {kAdapterConfigFile, kAdapterWeightsFile})
      hash.add(MappedFile::open(path / name).text());
  else
    hash.add(MappedFile::open(path).text());
  return "files with hash " + hash.text();
}

} // namespace llamarun
