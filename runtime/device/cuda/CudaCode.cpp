#include "runtime/device/cuda/CudaCode.h"

#include "runtime/support/Error.h"

#include <charconv>
#include <cstring>
#include <elf.h>
#include <vector>

namespace llamarun {

void checkCudaArch(fb::CodeFormat format, std::string_view arch, int major,
                   int minor) {
  if (format != fb::CodeFormat::Cubin && format != fb::CodeFormat::Ptx)
    fail(ExitCode::BadInput,
         "the CUDA device runs cubin and PTX code objects only");
  int number = 0;
  const char *end = arch.data() + arch.size();
  std::string_view suffix;
  if (arch.starts_with("sm_")) {
    auto [rest, error] = std::from_chars(arch.data() + 3, end, number);
    if (error == std::errc())
      suffix = {rest, static_cast<std::size_t>(end - rest)};
  }
  if (number < 10 || number > 9999 ||
      !(suffix.empty() || suffix == "a" || suffix == "f"))
    fail(ExitCode::BadInput, "unknown CUDA architecture '", arch,
         "' (expected sm_90 or the like)");
  int codeMajor = number / 10, codeMinor = number % 10;
  bool sameMajor = codeMajor == major && codeMinor <= minor;
  bool runs = suffix == "a"   ? codeMajor == major && codeMinor == minor
              : suffix == "f" ? sameMajor
              : format == fb::CodeFormat::Cubin
                  ? sameMajor
                  : codeMajor < major || sameMajor;
  if (!runs)
    fail(ExitCode::BadInput, "code is for ", arch, ", this GPU is sm_", major,
         minor, "; compile the plan again with --arch=sm_", major, minor);
}

void checkCubin(std::span<const std::byte> data) {
  auto refuse = [](const char *why) {
    fail(ExitCode::BadInput, "cubin is damaged: ", why);
  };
  auto inside = [&](std::uint64_t offset, std::uint64_t size) {
    return offset <= data.size() && size <= data.size() - offset;
  };
  Elf64_Ehdr header;
  if (data.size() < sizeof header)
    refuse("shorter than an ELF header");
  std::memcpy(&header, data.data(), sizeof header);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64)
    refuse("not a 64-bit ELF file");
  if (header.e_shentsize != sizeof(Elf64_Shdr) ||
      !inside(header.e_shoff,
              std::uint64_t(header.e_shnum) * sizeof(Elf64_Shdr)))
    refuse("section table outside the file");
  if (header.e_phnum && (header.e_phentsize != sizeof(Elf64_Phdr) ||
                         !inside(header.e_phoff, std::uint64_t(header.e_phnum) *
                                                     sizeof(Elf64_Phdr))))
    refuse("program table outside the file");
  for (unsigned i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section;
    std::memcpy(&section, data.data() + header.e_shoff + i * sizeof section,
                sizeof section);
    if (section.sh_type != SHT_NOBITS &&
        !inside(section.sh_offset, section.sh_size))
      refuse("a section is outside the file");
  }
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    std::memcpy(&segment, data.data() + header.e_phoff + i * sizeof segment,
                sizeof segment);
    if (!inside(segment.p_offset, segment.p_filesz))
      refuse("a segment is outside the file");
  }
}

CudaCode::CudaCode(const CudaDriver &driver, fb::CodeFormat format,
                   std::span<const std::byte> data)
    : driver(driver) {
  if (format == fb::CodeFormat::Cubin)
    checkCubin(data);
  // PTX is text that ends at a zero; a cubin is read through aligned structs.
  std::vector<std::uint64_t> image(data.size() / 8 + 2);
  std::memcpy(image.data(), data.data(), data.size());
  char log[2048] = "";
  CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER,
                            CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void *values[] = {log, reinterpret_cast<void *>(sizeof log - 1)};
  auto result =
      driver.cuModuleLoadDataExFn(&module, image.data(), 2, options, values);
  if (result == CUDA_ERROR_UNSUPPORTED_PTX_VERSION) {
    int version = 0;
    driver.cuDriverGetVersionFn(&version);
    fail(ExitCode::BadInput,
         "the NVIDIA driver is too old for this code: it "
         "is CUDA ",
         version / 1000, ".", version % 1000 / 10, "'s (", *log ? log : "PTX",
         "); update it, or compile for machine code (--arch=sm_NN)");
  }
  if (result != CUDA_SUCCESS)
    fail(ExitCode::BadInput, "cuModuleLoadDataEx: ", driver.describe(result),
         *log ? ": " : "", log);
}

CudaCode::~CudaCode() {
  if (module)
    driver.cuModuleUnloadFn(module);
}

CUfunction CudaCode::find(const std::string &symbol) const {
  CUfunction function = nullptr;
  auto result = driver.cuModuleGetFunctionFn(&function, module, symbol.c_str());
  if (result != CUDA_SUCCESS)
    fail(ExitCode::BadInput, "code object has no kernel '", symbol,
         "': ", driver.describe(result));
  return function;
}

} // namespace llamarun
