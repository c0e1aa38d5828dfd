// The module linked with libgloo, as bytes of this program.
#include "runtime/comm/GlooModule.h"
#include "runtime/device/cpu/CpuCode.h"
#include "runtime/support/Error.h"

#include <cstddef>
#include <cstring>
#include <span>

// LLAMAC_GLOO_MODULE: path of the shared object, from CMake.
asm(".pushsection .rodata\n"
    ".balign 64\n"
    ".globl llamacGlooModuleBegin\n"
    "llamacGlooModuleBegin:\n"
    ".incbin \"" LLAMAC_GLOO_MODULE "\"\n"
    ".globl llamacGlooModuleEnd\n"
    "llamacGlooModuleEnd:\n"
    ".popsection\n");
extern "C" const std::byte llamacGlooModuleBegin[], llamacGlooModuleEnd[];

namespace llamarun {

static const GlooTable *load() {
  auto size =
      static_cast<std::size_t>(llamacGlooModuleEnd - llamacGlooModuleBegin);
  try {
    // Never closed: Gloo has threads.
    auto *code = new CpuCode(std::span(llamacGlooModuleBegin, size));
    auto kernel = code->find("llamarunGloo");
    GlooEntry *entry;
    std::memcpy(&entry, &kernel, sizeof entry);
    return entry();
  } catch (const Error &error) {
    fail(ExitCode::BadInput,
         "a plan for several CPUs needs libgloo.so.0 (Debian: libgloo0): ",
         error.what());
  }
}

const GlooTable &glooTable() {
  static const GlooTable *table = load();
  return *table;
}

} // namespace llamarun
