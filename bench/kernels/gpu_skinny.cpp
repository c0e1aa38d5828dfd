//===- gpu_skinny.cpp - Skinny products beside cuBLASLt, on a GPU ---------===//
//
//   gpu_skinny [--once] [M...]
// The adapters' products of a Llama-3-8B layer, N = 64, for every M given:
// microseconds a product in a captured graph of many, where A stays in the L2
// cache, as in a step that has just written it, and B comes from memory, as a
// new layer's does. cuBLASLt's time is the best of all its heuristics' answers,
// each timed this way: without scratch memory, which is what plans have, and
// with 32 MiB. Ours is timed twice; the second time launches may overlap
// (programmatic). --once runs llamac's choice once each, for a profiler.
//
//===----------------------------------------------------------------------===//
#include "compiler/kernels/SkinnyGemm.h"
#include "test/gpu/KernelDevice.h"

#include <cstdio>
#include <cublasLt.h>
#include <dlfcn.h>

using namespace llamac;

namespace {

constexpr int64_t kColumns = 64, kPad = 64, kFresh = 100 << 20;
constexpr int kMostCopies = 96;

struct Shape {
  int64_t k;
  bool transposeB;
  int64_t ldb;
};
const Shape kShapes[] = {
    {4096, true, 4096 + kPad},  {14336, true, 14336 + kPad},
    {4096, false, 4096 + kPad}, {4096, false, 14336 + kPad},
    {6144, false, 4096 + kPad}, {28672, false, 4096 + kPad}};

void check(cublasStatus_t status, const char *what) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw std::runtime_error(std::string(what) + ": status " +
                             std::to_string(int(status)));
}

/// The functions of cuBLASLt, loaded when the bench runs.
class Blas {
public:
  Blas() {
    for (const char *name : {"libcublasLt.so.13", "libcublasLt.so.12"})
      if ((library = dlopen(name, RTLD_NOW)))
        break;
    if (!library)
      throw std::runtime_error(dlerror());
    check(get(cublasLtCreate, "cublasLtCreate")(&handle), "cublasLtCreate");
    gpu::check(cuMemAlloc(&workspace, kWorkspace), "cuMemAlloc");
  }
  template <typename F> F *get(F &, const char *name) {
    return reinterpret_cast<F *>(dlsym(library, name));
  }
#define BLAS(name) get(name, #name)

  /// Best time of D = A B; `addresses` are of A, B and D for each product.
  double best(gpu::KernelDevice &device, int64_t m, const Shape &s, int64_t lda,
              int64_t ldd, uint64_t size,
              const std::vector<std::array<CUdeviceptr, 3>> &addresses) {
    // Row-major D = A B is column-major D^T = B^T A^T.
    cublasLtMatmulDesc_t desc;
    check(BLAS(cublasLtMatmulDescCreate)(&desc, CUBLAS_COMPUTE_32F, CUDA_R_32F),
          "desc");
    cublasOperation_t op = s.transposeB ? CUBLAS_OP_T : CUBLAS_OP_N;
    check(BLAS(cublasLtMatmulDescSetAttribute)(
              desc, CUBLASLT_MATMUL_DESC_TRANSA, &op, sizeof op),
          "op");
    auto layout = [&](int64_t rows, int64_t columns, int64_t pitch) {
      cublasLtMatrixLayout_t l;
      check(BLAS(cublasLtMatrixLayoutCreate)(&l, CUDA_R_16BF, uint64_t(rows),
                                             uint64_t(columns), pitch),
            "layout");
      return l;
    };
    auto b = s.transposeB ? layout(s.k, kColumns, s.ldb)
                          : layout(kColumns, s.k, s.ldb);
    auto a = layout(s.k, m, lda), d = layout(kColumns, m, ldd);
    cublasLtMatmulPreference_t preference;
    check(BLAS(cublasLtMatmulPreferenceCreate)(&preference), "preference");
    check(BLAS(cublasLtMatmulPreferenceSetAttribute)(
              preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &size,
              sizeof size),
          "preference");
    std::vector<cublasLtMatmulHeuristicResult_t> found(40);
    int count = 0;
    check(BLAS(cublasLtMatmulAlgoGetHeuristic)(handle, desc, b, a, d, d,
                                               preference, int(found.size()),
                                               found.data(), &count),
          "heuristic");
    double fastest = 1e9;
    auto matmul = BLAS(cublasLtMatmul);
    float one = 1, zero = 0;
    for (int i = 0; i < count; ++i) {
      auto run = [&](size_t products) {
        for (size_t p = 0; p < products; ++p)
          check(matmul(handle, desc, &one,
                       reinterpret_cast<void *>(addresses[p][1]), b,
                       reinterpret_cast<void *>(addresses[p][0]), a, &zero,
                       reinterpret_cast<void *>(addresses[p][2]), d,
                       reinterpret_cast<void *>(addresses[p][2]), d,
                       &found[i].algo, reinterpret_cast<void *>(workspace),
                       size, device.queue()),
                "cublasLtMatmul");
      };
      run(1);
      fastest =
          std::min(fastest, device.timeGraph([&] { run(addresses.size()); },
                                             int(addresses.size()), 5));
    }
    return fastest;
  }

  static constexpr size_t kWorkspace = 32 << 20;

private:
  void *library;
  cublasLtHandle_t handle;
  CUdeviceptr workspace;
};

struct Bench {
  gpu::KernelDevice device{false};
  CUdeviceptr weights, a, d;
  std::optional<Blas> blas;

  static int64_t layerBytes(const Shape &s) {
    return (s.transposeB ? kColumns : s.k) * s.ldb * 2;
  }
  static int copies(const Shape &s) {
    return int(std::min<int64_t>(kMostCopies, kFresh / (s.k * kColumns * 2)));
  }

  Bench() {
    size_t most = 0;
    for (const Shape &s : kShapes)
      most = std::max(most, size_t(layerBytes(s) * copies(s)));
    gpu::check(cuMemAlloc(&weights, most), "cuMemAlloc");
    gpu::check(cuMemsetD16(weights, 0x3c00, most / 2), "cuMemset");
    gpu::check(cuMemAlloc(&a, 1024 * 28672 * 2), "cuMemAlloc");
    gpu::check(cuMemsetD16(a, 0x3c00, 1024 * 28672), "cuMemset");
    gpu::check(cuMemAlloc(&d, 1024 * 4160 * 2), "cuMemAlloc");
  }

  void shape(int64_t m, const Shape &s, bool once) {
    int64_t ldd = 4096 + kPad;
    std::vector<std::array<CUdeviceptr, 3>> addresses;
    for (int i = 0; i < copies(s); ++i)
      addresses.push_back({a, weights + i * layerBytes(s), d});
    auto launchOf = [&](std::optional<kernels::SkinnyTile> tile) {
      return skinnyGemmLaunch(m, kColumns, s.k, s.transposeB, s.k, s.ldb, ldd,
                              "sm_90", false, tile);
    };
    auto run = [&](const LibraryLaunch &launch, size_t products, bool pdl) {
      for (size_t p = 0; p < products; ++p)
        device.launchAt(
            launch, {addresses[p][0], addresses[p][1], addresses[p][2]}, pdl);
    };
    auto chosen = launchOf(std::nullopt);
    if (once) {
      if (chosen)
        run(*chosen, 3, false);
      gpu::check(cuStreamSynchronize(device.queue()), "run");
      return;
    }
    auto timed = [&](const LibraryLaunch &launch, bool pdl) {
      run(launch, 1, false);
      return device.timeGraph([&] { run(launch, addresses.size(), pdl); },
                              int(addresses.size()), 9);
    };
    if (!blas)
      blas.emplace();
    std::printf(
        "%s K%-5lld ldb%-5lld M%-4lld Lt %5.1f, scratch %5.1f |",
        s.transposeB ? "nt" : "nn", (long long)s.k, (long long)s.ldb,
        (long long)m, blas->best(device, m, s, s.k, ldd, 0, addresses),
        blas->best(device, m, s, s.k, ldd, Blas::kWorkspace, addresses));
    if (chosen)
      std::printf(" ours %.1f/%.1f %s |", timed(*chosen, false),
                  timed(*chosen, true), chosen->symbol.c_str() + 15);
    for (const kernels::SkinnyTile &tile : skinnyGemmTiles())
      std::printf(" %dx%d_%dx%d %.1f/%.1f", tile.rows, tile.columns, tile.warps,
                  tile.stages, timed(*launchOf(tile), false),
                  timed(*launchOf(tile), true));
    std::printf("\n");
    std::fflush(stdout);
  }
};

} // namespace

int main(int argc, char **argv) {
  bool once = false;
  std::vector<int64_t> rows;
  for (int i = 1; i < argc; ++i)
    if (std::string(argv[i]) == "--once")
      once = true;
    else
      rows.push_back(std::stoll(argv[i]));
  if (rows.empty())
    rows = {8, 64, 96, 128, 256, 512, 1024};
  try {
    Bench bench;
    for (int64_t m : rows)
      for (const Shape &s : kShapes)
        bench.shape(m, s, once);
  } catch (const std::exception &error) {
    std::printf("error: %s\n", error.what());
    return 1;
  }
}
