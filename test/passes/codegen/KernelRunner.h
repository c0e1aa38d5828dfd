//===- KernelRunner.h - A native kernel under test -------------*- C++ -*-===//
#pragma once

#include "test/passes/codegen/NativeKernel.h"

#include <cmath>
#include <gtest/gtest.h>
#include <random>

/// A NativeKernel; the running test fails if it does not compile.
class KernelRunner {
public:
  explicit KernelRunner(const std::string &source,
                        const std::string &arch = "x86-64-v3")
      : kernel(source, arch) {
    EXPECT_EQ(kernel.error(), "") << "in\n" << source;
  }

  void run(std::vector<void *> buffers, int64_t begin, int64_t end,
           std::vector<int64_t> scalars = {}) const {
    ASSERT_NE(kernel.call(), nullptr);
    kernel.call()(buffers.data(), scalars.data(), begin, end);
  }
  const std::string &object() const { return kernel.object(); }

private:
  NativeKernel kernel;
};

/// Normal(0, scale) numbers from a seed.
inline std::vector<float> randomFloats(size_t count, unsigned seed,
                                       float scale = 1) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(count);
  for (float &v : values)
    v = normal(engine);
  return values;
}
