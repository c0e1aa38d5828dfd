//===- NativeKernel.h - One op as native code in this process --*- C++ -*-===//
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

/// The kernel of one op, compiled to a shared object and loaded into this
/// process, as the runtime does it.
class NativeKernel {
public:
  using Function = void (*)(void *const *, const int64_t *, int64_t, int64_t);

  /// `source` is a module of one function; its op that has a kernel (a graph op
  /// is lowered to llm.rowwise first; of several kernels the first is taken) is
  /// compiled for `arch`. Buffers are the function's arguments in order, then
  /// the kernel's results.
  explicit NativeKernel(const std::string &source,
                        const std::string &arch = "x86-64-v3");
  ~NativeKernel();
  NativeKernel(const NativeKernel &) = delete;

  /// Diagnostics if there is no kernel, else empty.
  const std::string &error() const { return problem; }
  const std::string &object() const { return bytes; }
  Function call() const { return function; }

private:
  std::string bytes, problem;
  /// Open as long as the library is loaded: dlopen takes two files of the same
  /// path, hence of the same descriptor number, for one.
  int file = -1;
  void *library = nullptr;
  Function function = nullptr;
};

/// Architectures that kernels can be made for and this machine can run.
std::vector<std::string> runnableArchitectures();

/// "tensor<2x3xf32>" of the given sizes.
std::string tensor(std::initializer_list<int64_t> shape,
                   const char *element = "f32");
