#include "runtime/backup/CurlLibrary.h"

#include "runtime/support/Error.h"

#include <dlfcn.h>

namespace llamarun {

static void *openLibrary() {
  // Debian's builds with OpenSSL and with GnuTLS; either checks certificates.
  for (const char *name : {"libcurl.so.4", "libcurl-gnutls.so.4"})
    if (void *library = ::dlopen(name, RTLD_NOW | RTLD_LOCAL))
      return library;
  fail(
      ExitCode::Storage,
      "backup and restore need libcurl.so.4 (Debian: libcurl4): ", ::dlerror());
}

template <typename Function>
static void find(void *library, const char *name, Function &function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  if (!function)
    fail(ExitCode::Storage, "libcurl has no ", name);
}

static CurlLibrary load() {
  void *library = openLibrary();
  CurlLibrary curl{};
  find(library, "curl_global_init", curl.globalInit);
  find(library, "curl_easy_init", curl.init);
  find(library, "curl_easy_reset", curl.reset);
  find(library, "curl_easy_cleanup", curl.cleanup);
  find(library, "curl_easy_setopt", curl.setopt);
  find(library, "curl_easy_perform", curl.perform);
  find(library, "curl_easy_getinfo", curl.getinfo);
  find(library, "curl_easy_strerror", curl.strerror);
  find(library, "curl_slist_append", curl.append);
  find(library, "curl_slist_free_all", curl.freeAll);
  if (curl.globalInit(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    fail(ExitCode::Storage, "libcurl cannot be initialised");
  return curl;
}

const CurlLibrary &curlLibrary() {
  static const CurlLibrary curl = load();
  return curl;
}

} // namespace llamarun
