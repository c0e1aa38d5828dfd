#include "runtime/device/cuda/CudaBlas.h"

#include "runtime/support/Error.h"

#include <algorithm>
#include <bit>
#include <dlfcn.h>
#include <limits>
#include <string>

namespace llamarun {

#define LLAMAC_CUBLASLT_FUNCTIONS(X)                                           \
  X(cublasLtCreate)                                                            \
  X(cublasLtDestroy)                                                           \
  X(cublasLtGetVersion)                                                        \
  X(cublasLtGetStatusName)                                                     \
  X(cublasLtMatmulDescCreate)                                                  \
  X(cublasLtMatmulDescDestroy)                                                 \
  X(cublasLtMatmulDescSetAttribute)                                            \
  X(cublasLtMatrixLayoutCreate)                                                \
  X(cublasLtMatrixLayoutDestroy)                                               \
  X(cublasLtMatmulPreferenceCreate)                                            \
  X(cublasLtMatmulPreferenceDestroy)                                           \
  X(cublasLtMatmulPreferenceSetAttribute)                                      \
  X(cublasLtMatmulAlgoGetHeuristic)                                            \
  X(cublasLtMatmul)

struct CudaBlasLibrary {
#define LLAMAC_CUBLASLT_MEMBER(name) decltype(&::name) name##Fn = nullptr;
  LLAMAC_CUBLASLT_FUNCTIONS(LLAMAC_CUBLASLT_MEMBER)
#undef LLAMAC_CUBLASLT_MEMBER

  static const CudaBlasLibrary &get();
  void check(cublasStatus_t status, const char *call) const {
    if (status != CUBLAS_STATUS_SUCCESS)
      fail(status == CUBLAS_STATUS_ALLOC_FAILED ? ExitCode::DoesNotFit
                                                : ExitCode::BadInput,
           call, ": ", cublasLtGetStatusNameFn(status));
  }
};

#define LLAMAC_LT(name, ...) lib.check(lib.name##Fn(__VA_ARGS__), #name)

static CudaBlasLibrary load() {
  void *library = nullptr;
  std::string tried;
  for (const char *name :
       {"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"}) {
    library = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (library)
      break;
    const char *why = ::dlerror();
    tried += std::string("\n  ") + (why ? why : name);
  }
  if (!library)
    fail(ExitCode::BadInput,
         "plan is for cuda, but cuBLASLt (CUDA 12 or 13) cannot be loaded:",
         tried);
  CudaBlasLibrary lib;
#define LLAMAC_CUBLASLT_FIND(name)                                             \
  lib.name##Fn = reinterpret_cast<decltype(&::name)>(::dlsym(library, #name)); \
  if (!lib.name##Fn)                                                           \
    fail(ExitCode::BadInput, "libcublasLt has no " #name);
  LLAMAC_CUBLASLT_FUNCTIONS(LLAMAC_CUBLASLT_FIND)
#undef LLAMAC_CUBLASLT_FIND
  return lib;
}

const CudaBlasLibrary &CudaBlasLibrary::get() {
  static const CudaBlasLibrary library = load();
  return library;
}

static cudaDataType_t typeOf(fb::DType dtype) {
  return dtype == fb::DType::BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

/// One shape of GEMM with its algorithm. cuBLASLt is column-major: a row-major
/// matrix is its transpose there, and D^T = op(B)^T op(A)^T, so B goes first.
struct CudaBlas::Product {
  const CudaBlasLibrary &lib;
  cublasLtMatmulDesc_t operation = nullptr;
  cublasLtMatrixLayout_t first = nullptr, second = nullptr, result = nullptr;
  cublasLtMatmulHeuristicResult_t heuristic{};

  explicit Product(const CudaBlasLibrary &lib) : lib(lib) {}
  ~Product() {
    if (operation)
      lib.cublasLtMatmulDescDestroyFn(operation);
    for (auto layout : {first, second, result})
      if (layout)
        lib.cublasLtMatrixLayoutDestroyFn(layout);
  }
  Product(const Product &) = delete;
  Product &operator=(const Product &) = delete;

  void describe(const GemmCall &call) {
    auto orient = [&](cublasLtMatmulDescAttributes_t attribute,
                      bool transpose) {
      cublasOperation_t op = transpose ? CUBLAS_OP_T : CUBLAS_OP_N;
      LLAMAC_LT(cublasLtMatmulDescSetAttribute, operation, attribute, &op,
                sizeof op);
    };
    LLAMAC_LT(cublasLtMatmulDescCreate, &operation, CUBLAS_COMPUTE_32F,
              CUDA_R_32F);
    orient(CUBLASLT_MATMUL_DESC_TRANSA, call.transposeB);
    orient(CUBLASLT_MATMUL_DESC_TRANSB, call.transposeA);
    LLAMAC_LT(cublasLtMatrixLayoutCreate, &first, typeOf(call.dtypeB),
              call.transposeB ? call.k : call.n,
              call.transposeB ? call.n : call.k,
              static_cast<std::int64_t>(call.ldb));
    LLAMAC_LT(cublasLtMatrixLayoutCreate, &second, typeOf(call.dtypeA),
              call.transposeA ? call.m : call.k,
              call.transposeA ? call.k : call.m,
              static_cast<std::int64_t>(call.lda));
    LLAMAC_LT(cublasLtMatrixLayoutCreate, &result, typeOf(call.dtypeD), call.n,
              call.m, static_cast<std::int64_t>(call.ldd));
  }
};

/// The alignment that algorithms may count on, as cuBLASLt asks for it.
static std::uint32_t alignmentOf(const DeviceRange &range) {
  auto address = reinterpret_cast<std::uintptr_t>(range.pointer);
  return 1u << std::min(std::countr_zero(address), 8);
}

CudaBlas::CudaBlas() : lib(CudaBlasLibrary::get()) {
  LLAMAC_LT(cublasLtCreate, &handle);
}

CudaBlas::~CudaBlas() {
  products.clear();
  if (handle)
    lib.cublasLtDestroyFn(handle);
}

std::size_t CudaBlas::version() const { return lib.cublasLtGetVersionFn(); }

void CudaBlas::check(const GemmCall &call) const {
  bool floats = call.dtypeA == fb::DType::F32 || call.dtypeA == fb::DType::BF16;
  if (!floats || call.dtypeB != call.dtypeA ||
      (call.dtypeD != call.dtypeA && call.dtypeD != fb::DType::F32))
    fail(ExitCode::BadInput,
         "the CUDA device multiplies f32 or bf16 matrices into the same type "
         "or f32");
  for (auto extent : {call.m, call.n, call.k, call.lda, call.ldb, call.ldd})
    if (extent == 0 || extent > std::numeric_limits<std::int32_t>::max())
      fail(ExitCode::BadInput, "GEMM extent of ", extent,
           " is outside cuBLASLt's 32-bit range");
}

CudaBlas::Product &CudaBlas::productOf(const GemmCall &call,
                                       DeviceRange scratch) {
  std::uint32_t alignA = alignmentOf(call.a), alignB = alignmentOf(call.b),
                alignD = alignmentOf(call.d);
  // Each alignment is at most 256: nine bits.
  std::uint64_t alignments = std::uint64_t(alignA) << 18 | alignB << 9 | alignD;
  Key key{call.dtypeA,     call.dtypeB, call.dtypeD, call.transposeA,
          call.transposeB, call.m,      call.n,      call.k,
          call.lda,        call.ldb,    call.ldd,    call.beta != 0,
          scratch.bytes,   alignments};
  auto &slot = products[key];
  if (slot)
    return *slot;
  check(call);
  auto product = std::make_unique<Product>(lib);
  product->describe(call);

  cublasLtMatmulPreference_t raw = nullptr;
  LLAMAC_LT(cublasLtMatmulPreferenceCreate, &raw);
  std::unique_ptr<cublasLtMatmulPreferenceOpaque_t,
                  decltype(lib.cublasLtMatmulPreferenceDestroyFn)>
      preference(raw, lib.cublasLtMatmulPreferenceDestroyFn);
  auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute,
                    auto value) {
    LLAMAC_LT(cublasLtMatmulPreferenceSetAttribute, raw, attribute, &value,
              sizeof value);
  };
  prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, scratch.bytes);
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignB);
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignA);
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignD);
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignD);
  int found = 0;
  auto status = lib.cublasLtMatmulAlgoGetHeuristicFn(
      handle, product->operation, product->first, product->second,
      product->result, product->result, raw, 1, &product->heuristic, &found);
  if (status != CUBLAS_STATUS_SUCCESS || found == 0)
    fail(ExitCode::BadInput, "cublasLtMatmulAlgoGetHeuristic: ",
         lib.cublasLtGetStatusNameFn(status), ": no algorithm for m ", call.m,
         ", n ", call.n, ", k ", call.k, " with ", scratch.bytes,
         " bytes of workspace");
  slot = std::move(product);
  return *slot;
}

void CudaBlas::gemm(CUstream stream, const GemmCall &call,
                    DeviceRange scratch) {
  Product &product = productOf(call, scratch);
  // Both scalars live on the host; a captured graph keeps copies.
  LLAMAC_LT(cublasLtMatmul, handle, product.operation, &call.alpha,
            call.b.pointer, product.first, call.a.pointer, product.second,
            &call.beta, call.d.pointer, product.result, call.d.pointer,
            product.result, &product.heuristic.algo, scratch.pointer,
            product.heuristic.workspaceSize, stream);
}

} // namespace llamarun
