#include "runtime/backup/BackupStore.h"

#include "runtime/backup/Sigv4.h"
#include "runtime/io/Manifest.h"
#include "runtime/support/Error.h"

#include <algorithm>

namespace llamarun {

std::string BackupStore::text(const BackupName &name) const {
  return location.text() + "/" + kBackups + name.shortText();
}

std::vector<BackupName> BackupStore::backups() {
  std::string prefix = location.key(kBackups);
  std::vector<BackupName> names;
  for (auto &object : client.list(prefix))
    if (object.key.starts_with(prefix))
      if (auto name = BackupName::parse(object.key.substr(prefix.size())))
        names.push_back(*name);
  // By number: a clock may have been wrong.
  std::ranges::sort(names, {}, [](const BackupName &name) {
    return std::pair(name.number, name.text());
  });
  return names;
}

BackupManifest BackupStore::read(const BackupName &name) {
  // What the way damaged may be whole the second time.
  for (int attempt = 1;; ++attempt) {
    std::string text = client.get(backupKey(name));
    if (sha256Of(text) == name.sha256)
      return BackupManifest::parse(text, this->text(name));
    if (attempt == 3)
      fail(ExitCode::BadInput, this->text(name),
           ": is damaged: its SHA-256 is not the one in its name");
  }
}

BackupName BackupStore::add(const BackupManifest &manifest,
                            const std::optional<BackupName> &newest) {
  std::string text = manifest.text();
  BackupName name{newest ? newest->number + 1 : 1, amzDate(manifest.created),
                  sha256Of(text)};
  client.put(backupKey(name), std::as_bytes(std::span(text)), name.sha256);
  return name;
}

std::map<std::string, std::uint64_t> BackupStore::objects() {
  std::string prefix = location.key(kObjects);
  std::map<std::string, std::uint64_t> found;
  for (auto &object : client.list(prefix))
    if (object.key.starts_with(prefix) &&
        isSha256(object.key.substr(prefix.size())))
      found[object.key.substr(prefix.size())] = object.size;
  return found;
}

} // namespace llamarun
