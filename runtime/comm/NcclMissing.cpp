// In place of Nccl.cpp and NcclGroup.cpp where the headers of CUDA or NCCL were
// not there to build with.
#include "runtime/comm/Nccl.h"
#include "runtime/support/Error.h"

namespace llamarun {

std::unique_ptr<Communicators> createNcclCommunicators(const Plan &, Peers &,
                                                       Device &) {
  fail(ExitCode::BadInput, "the plan is for several GPUs, but this build was "
                           "made without NCCL's header");
}

} // namespace llamarun
