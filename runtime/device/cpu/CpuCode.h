//===- CpuCode.h - Generated code as an ELF shared object ------*- C++ -*-===//
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace llamarun {

/// A generated kernel (plan.fbs, table Kernel).
using CpuKernel = void (*)(void *const *buffers, const std::int64_t *scalars,
                           std::int64_t begin, std::int64_t end);

/// \throws Error(BadInput) unless this machine runs code for `arch`:
/// "x86-64", "x86-64-v2", "x86-64-v3" or "x86-64-v4".
void checkCpuArch(std::string_view arch);

/// A shared object loaded from memory; unloaded on destruction.
class CpuCode {
public:
  /// \throws Error(BadInput) for anything that is not a loadable ELF.
  explicit CpuCode(std::span<const std::byte> elf);
  ~CpuCode();
  CpuCode(const CpuCode &) = delete;
  CpuCode &operator=(const CpuCode &) = delete;

  /// \throws Error(BadInput) if there is no such symbol.
  CpuKernel find(const std::string &symbol) const;

private:
  int descriptor = -1;
  void *library = nullptr;
};

} // namespace llamarun
