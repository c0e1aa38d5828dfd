//===- KernelRunner.h - Compiles one op to native code and calls it -*- C++ -*-===//
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

/// The kernel of one op, compiled to a shared object and loaded into this
/// process, as the runtime does it.
class KernelRunner {
public:
  /// `source` is a module of one function; its op that has a kernel (a graph op
  /// is lowered to llm.rowwise first; of several kernels the first is taken) is
  /// compiled for `arch`. Buffers are the function's arguments in order, then
  /// the kernel's results. Fails the running test if something goes wrong.
  explicit KernelRunner(const std::string &source,
                        const std::string &arch = "x86-64-v3");
  ~KernelRunner();
  KernelRunner(const KernelRunner &) = delete;

  void run(std::vector<void *> buffers, int64_t begin, int64_t end,
           std::vector<int64_t> scalars = {}) const;
  const std::string &object() const { return bytes; }

private:
  using Function = void (*)(void *const *, const int64_t *, int64_t, int64_t);
  void load();

  std::string bytes;
  /// Open as long as the library is loaded: dlopen takes two files of the same
  /// path, hence of the same descriptor number, for one.
  int file = -1;
  void *library = nullptr;
  Function function = nullptr;
};

/// Diagnostics that compiling `source` gives; empty if it compiles.
std::string compileError(const std::string &source);

/// Architectures of this list that the machine can run.
std::vector<std::string> runnableArchitectures();

/// Normal(0, scale) numbers from a seed.
std::vector<float> randomFloats(size_t count, unsigned seed, float scale = 1);

/// "tensor<2x3xf32>" of the given sizes.
std::string tensor(std::initializer_list<int64_t> shape,
                   const char *element = "f32");
