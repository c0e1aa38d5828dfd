#include "runtime/executor/Executors.h"
#include "runtime/executor/Session.h"

namespace llamarun {

/// The range narrowed to what a rows x columns matrix in it spans.
static DeviceRange spanOf(DeviceRange range, fb::DType dtype,
                          std::uint64_t rows, std::uint64_t columns,
                          std::uint64_t leading) {
  range.bytes = ((rows - 1) * leading + columns) * sizeOf(dtype);
  return range;
}

static GemmCall callOf(const StepContext &context) {
  auto &gemm = *context.step.operation_as_Gemm();
  GemmCall call;
  call.dtypeA = context.plan.buffer(gemm.a()).dtype();
  call.dtypeB = context.plan.buffer(gemm.b()).dtype();
  call.dtypeD = context.plan.buffer(gemm.d()).dtype();
  call.transposeA = gemm.transpose_a();
  call.transposeB = gemm.transpose_b();
  call.m = gemm.m();
  call.n = gemm.n();
  call.k = gemm.k();
  call.lda = gemm.lda();
  call.ldb = gemm.ldb();
  call.ldd = gemm.ldd();
  call.alpha = gemm.alpha();
  call.beta = gemm.beta();
  auto range = [&](std::uint32_t i) { return context.session.range(i); };
  call.a =
      spanOf(range(gemm.a()), call.dtypeA, call.transposeA ? call.k : call.m,
             call.transposeA ? call.m : call.k, call.lda);
  call.b =
      spanOf(range(gemm.b()), call.dtypeB, call.transposeB ? call.n : call.k,
             call.transposeB ? call.k : call.n, call.ldb);
  call.d = spanOf(range(gemm.d()), call.dtypeD, call.m, call.n, call.ldd);
  return call;
}

const Executor gemmExecutor = {fb::Operation::Gemm,
                               [](const StepContext &context) {
                                 context.device.prepareGemm(callOf(context));
                               },
                               [](const StepContext &context) {
                                 context.device.gemm(context.stream,
                                                     callOf(context));
                               }};

} // namespace llamarun
