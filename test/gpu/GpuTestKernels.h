//===- GpuTestKernels.h - Kernels of the GPU tests, as PTX -----*- C++ -*-===//
//
// What llamac would generate, by hand: the driver finishes it.
//
//===----------------------------------------------------------------------===//
#pragma once

namespace llamarun::test {

/// next(in, out, n, cycles): out[i] = in[i] + 1 for i < n, f32, one thread an
/// element. It first spins for some cycles, then waits for the kernel before
/// it: launched early, kernels spin at the same time.
/// crash(out): writes to address 8.
/// sum(a, b, out): out[0] = a[0] + b[0], f32, and out[1] = a[0]; one thread.
inline constexpr char kTestPtx[] = R"(
.version 8.0
.target sm_90
.address_size 64
.visible .entry next(.param .u64 in, .param .u64 out, .param .u64 n,
                     .param .u64 cycles)
{
  .reg .pred %p<3>;
  .reg .b32 %r<5>;
  .reg .b64 %d<12>;
  .reg .f32 %f<3>;
  griddepcontrol.launch_dependents;
  ld.param.u64 %d1, [in];
  ld.param.u64 %d2, [out];
  ld.param.u64 %d3, [n];
  ld.param.u64 %d4, [cycles];
  mov.u64 %d5, %clock64;
  add.s64 %d5, %d5, %d4;
SPIN:
  mov.u64 %d6, %clock64;
  setp.lt.s64 %p1, %d6, %d5;
  @%p1 bra SPIN;
  griddepcontrol.wait;
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mad.lo.s32 %r4, %r1, %r2, %r3;
  cvt.u64.u32 %d7, %r4;
  setp.ge.u64 %p2, %d7, %d3;
  @%p2 ret;
  shl.b64 %d8, %d7, 2;
  add.s64 %d9, %d1, %d8;
  add.s64 %d10, %d2, %d8;
  ld.global.f32 %f1, [%d9];
  add.f32 %f2, %f1, 0f3F800000;
  st.global.f32 [%d10], %f2;
  ret;
}
.visible .entry crash(.param .u64 out)
{
  .reg .b64 %d<2>;
  .reg .f32 %f<2>;
  mov.u64 %d1, 8;
  mov.f32 %f1, 0f3F800000;
  st.global.f32 [%d1], %f1;
  ret;
}
.visible .entry sum(.param .u64 a, .param .u64 b, .param .u64 out)
{
  .reg .b64 %d<4>;
  .reg .f32 %f<4>;
  ld.param.u64 %d1, [a];
  ld.param.u64 %d2, [b];
  ld.param.u64 %d3, [out];
  ld.global.f32 %f1, [%d1];
  ld.global.f32 %f2, [%d2];
  add.f32 %f3, %f1, %f2;
  st.global.f32 [%d3], %f3;
  st.global.f32 [%d3+4], %f1;
  ret;
}
)";

} // namespace llamarun::test
