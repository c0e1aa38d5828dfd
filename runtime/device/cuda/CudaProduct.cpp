#include "runtime/device/cuda/CudaProduct.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <memory>
#include <sstream>

namespace llamarun {

// Separate buffers, reduced in order by a pass of its own, or no split at all.
static constexpr std::uint32_t kReductions =
    CUBLASLT_REDUCTION_SCHEME_NONE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;

static cudaDataType_t typeOf(fb::DType dtype) {
  return dtype == fb::DType::BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

std::uint32_t gemmAlignment(const DeviceRange &range) {
  auto address = reinterpret_cast<std::uintptr_t>(range.pointer);
  return 1u << std::min(std::countr_zero(address), 8);
}

void CudaProduct::check(const GemmCall &call) {
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

std::string CudaProduct::keyOf(const GemmCall &call, std::uint64_t scratch) {
  auto name = [](fb::DType dtype) {
    return dtype == fb::DType::BF16 ? "bf16" : "f32";
  };
  std::ostringstream key;
  key << name(call.dtypeA) << "->" << name(call.dtypeD) << " "
      << (call.transposeA ? "t" : "n") << (call.transposeB ? "t" : "n") << " "
      << call.m << "x" << call.n << "x" << call.k << " ld " << call.lda << ","
      << call.ldb << "," << call.ldd << (call.beta != 0 ? " add" : "")
      << " align " << gemmAlignment(call.a) << "," << gemmAlignment(call.b)
      << "," << gemmAlignment(call.d) << " scratch " << scratch;
  return key.str();
}

CudaProduct::CudaProduct(const CudaBlasLibrary &lib, cublasLtHandle_t handle,
                         const GemmCall &call, std::uint64_t scratch)
    : lib(lib), handle(handle), shape(call), scratchBytes(scratch) {
  check(call);
  auto orient = [&](cublasLtMatmulDescAttributes_t attribute, bool transpose) {
    cublasOperation_t op = transpose ? CUBLAS_OP_T : CUBLAS_OP_N;
    LLAMAC_LT(lib, cublasLtMatmulDescSetAttribute, operation, attribute, &op,
              sizeof op);
  };
  LLAMAC_LT(lib, cublasLtMatmulDescCreate, &operation, CUBLAS_COMPUTE_32F,
            CUDA_R_32F);
  orient(CUBLASLT_MATMUL_DESC_TRANSA, call.transposeB);
  orient(CUBLASLT_MATMUL_DESC_TRANSB, call.transposeA);
  LLAMAC_LT(lib, cublasLtMatrixLayoutCreate, &first, typeOf(call.dtypeB),
            call.transposeB ? call.k : call.n,
            call.transposeB ? call.n : call.k,
            static_cast<std::int64_t>(call.ldb));
  LLAMAC_LT(lib, cublasLtMatrixLayoutCreate, &second, typeOf(call.dtypeA),
            call.transposeA ? call.m : call.k,
            call.transposeA ? call.k : call.m,
            static_cast<std::int64_t>(call.lda));
  LLAMAC_LT(lib, cublasLtMatrixLayoutCreate, &result, typeOf(call.dtypeD),
            call.n, call.m, static_cast<std::int64_t>(call.ldd));
}

CudaProduct::~CudaProduct() {
  if (operation)
    lib.cublasLtMatmulDescDestroyFn(operation);
  for (auto layout : {first, second, result})
    if (layout)
      lib.cublasLtMatrixLayoutDestroyFn(layout);
}

std::vector<CudaAlgorithm> CudaProduct::heuristics(int count) const {
  cublasLtMatmulPreference_t raw = nullptr;
  LLAMAC_LT(lib, cublasLtMatmulPreferenceCreate, &raw);
  std::unique_ptr<cublasLtMatmulPreferenceOpaque_t,
                  decltype(lib.cublasLtMatmulPreferenceDestroyFn)>
      preference(raw, lib.cublasLtMatmulPreferenceDestroyFn);
  auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute,
                    auto value) {
    LLAMAC_LT(lib, cublasLtMatmulPreferenceSetAttribute, raw, attribute, &value,
              sizeof value);
  };
  prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, scratchBytes);
  prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, kReductions);
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, gemmAlignment(shape.b));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, gemmAlignment(shape.a));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, gemmAlignment(shape.d));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, gemmAlignment(shape.d));
  std::vector<cublasLtMatmulHeuristicResult_t> found(
      static_cast<std::size_t>(count));
  int number = 0;
  auto status = lib.cublasLtMatmulAlgoGetHeuristicFn(
      handle, operation, first, second, result, result, raw, count,
      found.data(), &number);
  std::vector<CudaAlgorithm> algorithms;
  for (int i = 0; status == CUBLAS_STATUS_SUCCESS && i < number; ++i) {
    auto &entry = found[static_cast<std::size_t>(i)];
    if (entry.state == CUBLAS_STATUS_SUCCESS &&
        entry.workspaceSize <= scratchBytes)
      algorithms.push_back({entry.algo, entry.workspaceSize});
  }
  if (algorithms.empty())
    fail(ExitCode::BadInput, "cublasLtMatmulAlgoGetHeuristic: ",
         lib.cublasLtGetStatusNameFn(status), ": no algorithm for m ", shape.m,
         ", n ", shape.n, ", k ", shape.k, " with ", scratchBytes,
         " bytes of workspace");
  return algorithms;
}

bool CudaProduct::accepts(CudaAlgorithm &algorithm) const {
  std::uint32_t reduction = 0;
  std::size_t written = 0;
  cublasLtMatmulHeuristicResult_t checked{};
  if (lib.cublasLtMatmulAlgoConfigGetAttributeFn(
          &algorithm.algorithm, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME,
          &reduction, sizeof reduction, &written) != CUBLAS_STATUS_SUCCESS ||
      (reduction & ~kReductions) ||
      lib.cublasLtMatmulAlgoCheckFn(handle, operation, first, second, result,
                                    result, &algorithm.algorithm,
                                    &checked) != CUBLAS_STATUS_SUCCESS ||
      checked.workspaceSize > scratchBytes)
    return false;
  algorithm.workspace = checked.workspaceSize;
  return true;
}

bool CudaProduct::offers(CudaAlgorithm &algorithm) const {
  constexpr int kMost = 64; // as many as the tuner asks for
  for (auto &offer : heuristics(kMost))
    if (std::memcmp(&offer.algorithm, &algorithm.algorithm,
                    sizeof offer.algorithm) == 0) {
      algorithm.workspace = offer.workspace;
      return true;
    }
  return false;
}

std::vector<CudaAlgorithm>
CudaProduct::splits(const CudaAlgorithm &algorithm) const {
  std::vector<CudaAlgorithm> algorithms;
  std::int32_t now = 0;
  std::size_t written = 0;
  if (lib.cublasLtMatmulAlgoConfigGetAttributeFn(
          &algorithm.algorithm, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, &now,
          sizeof now, &written) != CUBLAS_STATUS_SUCCESS)
    return algorithms;
  for (std::int32_t parts : {1, 2, 3, 4, 6, 8}) {
    if (parts == now)
      continue;
    CudaAlgorithm other = algorithm;
    std::uint32_t scheme = parts > 1 ? CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE
                                     : CUBLASLT_REDUCTION_SCHEME_NONE;
    auto set = [&](cublasLtMatmulAlgoConfigAttributes_t attribute, auto value) {
      return lib.cublasLtMatmulAlgoConfigSetAttributeFn(
                 &other.algorithm, attribute, &value, sizeof value) ==
             CUBLAS_STATUS_SUCCESS;
    };
    if (set(CUBLASLT_ALGO_CONFIG_SPLITK_NUM, parts) &&
        set(CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, scheme) && accepts(other))
      algorithms.push_back(other);
  }
  return algorithms;
}

cublasStatus_t CudaProduct::enqueue(CUstream stream, const GemmCall &call,
                                    const CudaAlgorithm &algorithm,
                                    void *scratch) const {
  // Both scalars live on the host; a captured graph keeps copies.
  return lib.cublasLtMatmulFn(
      handle, operation, &call.alpha, call.b.pointer, first, call.a.pointer,
      second, &call.beta, call.d.pointer, result, call.d.pointer, result,
      &algorithm.algorithm, scratch, algorithm.workspace, stream);
}

} // namespace llamarun
