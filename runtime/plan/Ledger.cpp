#include "runtime/plan/Ledger.h"

namespace llamarun {

const char *nameOf(fb::CollectiveKind kind) {
  switch (kind) {
  case fb::CollectiveKind::AllReduceSum:
    return "all_reduce sum";
  case fb::CollectiveKind::AllReduceMax:
    return "all_reduce max";
  case fb::CollectiveKind::AllGather:
    return "all_gather";
  case fb::CollectiveKind::ReduceScatterSum:
    return "reduce_scatter sum";
  case fb::CollectiveKind::Broadcast:
    return "broadcast";
  }
  return "unknown";
}

} // namespace llamarun
