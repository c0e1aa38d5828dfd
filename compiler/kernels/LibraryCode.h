//===- LibraryCode.h - Compiled kernels inside llamac -----------*- C++ -*-===//
//
// What compiler/kernels/CMakeLists.txt generates: a .cpp with the bytes of each
// module. Used by LibraryKernels.cpp only.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <span>
#include <string_view>

namespace llamac {

struct EmbeddedCode {
  std::string_view module; // "attention_forward"
  std::string_view format; // "ptx", or the architecture of a cubin
  std::string_view bytes;
};

/// All modules; empty if llamac was built without nvcc.
std::span<const EmbeddedCode> embeddedCode();

} // namespace llamac
