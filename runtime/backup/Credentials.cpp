#include "runtime/backup/Credentials.h"

#include "runtime/support/Error.h"

namespace llamarun {

const Credentials &CredentialCache::at(Time now) {
  if (!current) {
    current = source.find();
  } else if (current->expiry && *current->expiry - kEarly <= now) {
    try {
      current = source.find();
    } catch (const Error &) {
      if (*current->expiry <= now)
        throw;
    }
  }
  return *current;
}

bool CredentialCache::renew() {
  Credentials fresh = source.find();
  bool changed = !current || !fresh.sameAs(*current);
  current = std::move(fresh);
  return changed;
}

} // namespace llamarun
