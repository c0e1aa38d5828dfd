// What stands in for the generated LibraryCode.cpp where there is no nvcc.
#include "compiler/kernels/LibraryCode.h"

std::span<const llamac::EmbeddedCode> llamac::embeddedCode() { return {}; }
