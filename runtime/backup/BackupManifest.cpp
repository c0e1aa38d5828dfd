#include "runtime/backup/BackupManifest.h"

#include "runtime/backup/CredentialChain.h"
#include "runtime/io/QuoteName.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

namespace llamarun {

using nlohmann::json;

static constexpr char kFormat[] = "llamarun-backup";
static constexpr int kVersion = 1;

bool isSha256(std::string_view text) {
  return text.size() == 64 &&
         text.find_first_not_of("0123456789abcdef") == text.npos;
}

std::uint64_t BackupManifest::bytes() const {
  std::uint64_t sum = 0;
  for (auto &file : files)
    sum += file.size;
  return sum;
}

const BackupFile *BackupManifest::find(std::string_view path) const {
  auto at = std::ranges::lower_bound(files, path, {}, [](const BackupFile &f) {
    return std::string_view(f.path);
  });
  return at != files.end() && at->path == path ? &*at : nullptr;
}

std::string BackupManifest::text() const {
  std::time_t seconds = created.time_since_epoch().count();
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char when[32];
  std::strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &parts);
  json list = json::array();
  for (auto &file : files)
    list.push_back({{"path", file.path},
                    {"size", file.size},
                    {"sha256", file.sha256},
                    {"mtime_ns", file.mtimeNs},
                    {"mode", file.mode}});
  json document = {
      {"format", kFormat}, {"version", kVersion},
      {"created", when},   {"source", source},
      {"files", list},     {"empty_directories", emptyDirectories}};
  return document.dump(1) + "\n";
}

/// Relative, and nothing in it leads elsewhere.
static bool isInside(const std::string &path) {
  if (path.empty() || path.size() > 4000 || path.find('\0') != path.npos)
    return false;
  std::string around = "/" + path + "/";
  for (const char *part : {"//", "/./", "/../"})
    if (around.find(part) != around.npos)
      return false;
  return true;
}

BackupManifest BackupManifest::parse(std::string_view text,
                                     const std::string &source) {
  // The parser has no limit of depth of its own.
  int depth = 0;
  bool deep = false;
  auto document = json::parse(
      text,
      [&](int at, json::parse_event_t, json &) {
        deep |= (depth = at) > 8;
        return !deep;
      },
      false);
  if (deep || !document.is_object())
    fail(ExitCode::BadInput, source, ": is no JSON object");
  try {
    if (document.at("format") != kFormat)
      fail(ExitCode::BadInput, source, ": is no backup of llamarun's");
    if (document.at("version") != kVersion)
      fail(ExitCode::BadInput, source, ": is of version ",
           document.at("version").dump(), ", this llamarun reads ", kVersion);
    BackupManifest manifest;
    auto when = parseTimestamp(document.at("created").get<std::string>());
    if (!when)
      fail(ExitCode::BadInput, source, ": key 'created' is no time");
    manifest.created = *when;
    manifest.source = document.at("source").get<std::string>();
    for (auto &entry : document.at("files")) {
      BackupFile file;
      file.path = entry.at("path").get<std::string>();
      file.size = entry.at("size").get<std::uint64_t>();
      file.sha256 = entry.at("sha256").get<std::string>();
      file.mtimeNs = entry.at("mtime_ns").get<std::int64_t>();
      file.mode = entry.at("mode").get<unsigned>();
      if (!isInside(file.path) || !isSha256(file.sha256) || file.mode > 0777 ||
          !entry.at("size").is_number_unsigned() ||
          file.size > (std::uint64_t(1) << 50))
        fail(ExitCode::BadInput, source, ": entry of ", quoteName(file.path),
             " has a bad path, size, digest or mode");
      if (!manifest.files.empty() && manifest.files.back().path >= file.path)
        fail(ExitCode::BadInput, source, ": ", quoteName(file.path),
             " is listed twice or out of order");
      manifest.files.push_back(std::move(file));
    }
    for (auto &entry : document.at("empty_directories")) {
      manifest.emptyDirectories.push_back(entry.get<std::string>());
      if (!isInside(manifest.emptyDirectories.back()))
        fail(ExitCode::BadInput, source, ": folder ",
             quoteName(manifest.emptyDirectories.back()), " has a bad path");
    }
    return manifest;
  } catch (const json::exception &error) {
    fail(ExitCode::BadInput, source, ": ", error.what());
  }
}

std::string BackupName::shortText() const {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%08llu",
                static_cast<unsigned long long>(number));
  return std::string(digits) + "-" + time;
}

std::string BackupName::text() const {
  return shortText() + "-" + sha256 + ".json";
}

std::optional<BackupName> BackupName::parse(std::string_view text) {
  BackupName name;
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), name.number);
  auto digits = static_cast<std::size_t>(end - text.data());
  if (error != std::errc() || digits < 8)
    return std::nullopt;
  std::string_view rest = text.substr(digits);
  constexpr std::size_t kTime = 16;
  if (rest.size() != 1 + kTime + 1 + 64 + 5 || rest[0] != '-' ||
      rest[1 + kTime] != '-' || !rest.ends_with(".json"))
    return std::nullopt;
  name.time = rest.substr(1, kTime);
  name.sha256 = rest.substr(2 + kTime, 64);
  if (!isSha256(name.sha256) || name.text() != text)
    return std::nullopt;
  return name;
}

} // namespace llamarun
