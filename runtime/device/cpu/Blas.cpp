#include "runtime/device/cpu/Blas.h"

#include "runtime/support/Error.h"

#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <vector>

namespace llamarun {

Blas::Blas() {
  // OpenBLAS starts its threads while it is being loaded; we bring our own.
  ::setenv("OPENBLAS_NUM_THREADS", "1", /*overwrite=*/0);
  const char *chosen = std::getenv("LLAMAC_BLAS");
  std::vector<std::string> candidates;
  if (chosen && *chosen)
    candidates = {chosen};
  else
    candidates = {"libopenblas.so.0", "libblas.so.3"};
  std::string tried;
  for (auto &candidate : candidates) {
    library = ::dlopen(candidate.c_str(), RTLD_NOW | RTLD_LOCAL);
    void *symbol = library ? ::dlsym(library, "cblas_sgemm") : nullptr;
    if (!symbol) {
      const char *why = ::dlerror();
      tried += "\n  " + candidate + ": " + (why ? why : "no cblas_sgemm");
      if (library)
        ::dlclose(library);
      library = nullptr;
      continue;
    }
    std::memcpy(&function, &symbol, sizeof function);
    description = candidate;
    break;
  }
  if (!library)
    fail(ExitCode::BadInput,
         "the CPU device needs a BLAS with cblas_sgemm: install Debian's "
         "libopenblas0-pthread, or set LLAMAC_BLAS to a shared library; tried:",
         tried);
  if (void *symbol = ::dlsym(library, "openblas_set_num_threads")) {
    void (*setThreads)(int);
    std::memcpy(&setThreads, &symbol, sizeof setThreads);
    setThreads(1);
  }
  void *config = ::dlsym(library, "openblas_get_config");
  void *core = ::dlsym(library, "openblas_get_corename");
  if (config && core) {
    char *(*text)();
    std::memcpy(&text, &config, sizeof text);
    // "OpenBLAS 0.3.21 NO_LAPACKE ...": the first two words.
    std::string words = text();
    auto cut = words.find(' ', words.find(' ') + 1);
    std::memcpy(&text, &core, sizeof text);
    description = words.substr(0, cut) + " " + text();
  }
}

Blas::~Blas() {
  // Not closed: libraries with threads and thread-local state of their own do
  // not survive being unmapped, and the next device wants it again.
}

void Blas::sgemm(bool transposeA, bool transposeB, int m, int n, int k,
                 float alpha, const float *a, int lda, const float *b, int ldb,
                 float beta, float *c, int ldc) const {
  constexpr int kRowMajor = 101, kNoTrans = 111, kTrans = 112;
  function(kRowMajor, transposeA ? kTrans : kNoTrans,
           transposeB ? kTrans : kNoTrans, m, n, k, alpha, a, lda, b, ldb, beta,
           c, ldc);
}

} // namespace llamarun
