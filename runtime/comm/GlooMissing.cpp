// In place of GlooLibrary.cpp where Gloo's headers were not there to build
// with.
#include "runtime/comm/GlooModule.h"
#include "runtime/support/Error.h"

namespace llamarun {

const GlooTable &glooTable() {
  fail(ExitCode::BadInput,
       "the plan is for several CPUs, but this build has no "
       "Gloo (Debian: libgloo-dev)");
}

} // namespace llamarun
