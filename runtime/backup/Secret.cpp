#include "runtime/backup/Secret.h"

#include <openssl/crypto.h>

namespace llamarun {

void Secret::wipe() {
  // Not memset, which the compiler may drop.
  OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

} // namespace llamarun
