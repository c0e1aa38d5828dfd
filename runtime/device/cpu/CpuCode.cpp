#include "runtime/device/cpu/CpuCode.h"

#include "runtime/support/Error.h"

#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

namespace llamarun {

/// The highest x86-64 level of this machine (the psABI's microarchitecture
/// levels), 0 on another architecture.
static int cpuLevel() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("sse4.2") || !__builtin_cpu_supports("popcnt"))
    return 1;
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
      !__builtin_cpu_supports("bmi") || !__builtin_cpu_supports("bmi2"))
    return 2;
  if (!__builtin_cpu_supports("avx512f") ||
      !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512cd") ||
      !__builtin_cpu_supports("avx512dq") ||
      !__builtin_cpu_supports("avx512vl"))
    return 3;
  return 4;
#else
  return 0;
#endif
}

void checkCpuArch(std::string_view arch) {
  int wanted = 0;
  if (arch == "x86-64")
    wanted = 1;
  else if (arch.size() == 9 && arch.substr(0, 8) == "x86-64-v" &&
           arch[8] >= '2' && arch[8] <= '4')
    wanted = arch[8] - '0';
  else
    fail(ExitCode::BadInput, "code for unknown architecture '", arch,
         "' (known: x86-64, x86-64-v2, x86-64-v3, x86-64-v4)");
  int have = cpuLevel();
  if (have < wanted)
    fail(ExitCode::BadInput, "the plan's code is for ", arch,
         ", this machine is ",
         have == 0 ? std::string("not x86-64")
                   : "x86-64-v" + std::to_string(have),
         "; recompile with a lower --arch");
}

CpuCode::CpuCode(std::span<const std::byte> elf) {
  Elf64_Ehdr header;
  if (elf.size() < sizeof header)
    fail(ExitCode::BadInput, "code object too small for an ELF file");
  std::memcpy(&header, elf.data(), sizeof header);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_type != ET_DYN)
    fail(ExitCode::BadInput, "code object is no 64-bit ELF shared object");

  descriptor = ::memfd_create("llamac-kernels", MFD_CLOEXEC);
  if (descriptor < 0)
    fail(ExitCode::DoesNotFit,
         "cannot make memory for a code object: ", std::strerror(errno));
  std::size_t done = 0;
  while (done < elf.size()) {
    auto put = ::write(descriptor, elf.data() + done, elf.size() - done);
    if (put < 0 && errno == EINTR)
      continue;
    if (put <= 0) {
      int why = errno;
      ::close(descriptor);
      fail(ExitCode::DoesNotFit,
           "cannot store a code object: ", std::strerror(why));
    }
    done += static_cast<std::size_t>(put);
  }
  // The descriptor stays open as long as the library: the loader knows
  // libraries by path, and another memfd must not get this one's number.
  auto path = "/proc/self/fd/" + std::to_string(descriptor);
  library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *why = ::dlerror();
    std::string message = why ? why : "unknown error";
    ::close(descriptor);
    fail(ExitCode::BadInput, "cannot load a code object: ", message);
  }
}

CpuCode::~CpuCode() {
  ::dlclose(library);
  ::close(descriptor);
}

CpuKernel CpuCode::find(const std::string &symbol) const {
  void *address = ::dlsym(library, symbol.c_str());
  if (!address)
    fail(ExitCode::BadInput, "code object has no function '", symbol, "'");
  CpuKernel kernel;
  std::memcpy(&kernel, &address, sizeof kernel);
  return kernel;
}

} // namespace llamarun
