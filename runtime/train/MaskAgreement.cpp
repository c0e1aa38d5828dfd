#include "runtime/train/MaskAgreement.h"

#include "runtime/support/Error.h"

#include <algorithm>
#include <cstring>
#include <map>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace llamarun {

void MaskAgreement::add(std::uint64_t step, std::span<const float> kept) {
  entries.push_back({step, XXH3_64bits(kept.data(), kept.size_bytes())});
}

std::string MaskAgreement::take() {
  std::string bytes(reinterpret_cast<const char *>(entries.data()),
                    entries.size() * sizeof(Entry));
  entries.clear();
  return bytes;
}

std::vector<MaskAgreement::Entry>
MaskAgreement::parse(unsigned rank, const std::string &bytes) {
  if (bytes.size() % sizeof(Entry) != 0)
    fail(ExitCode::PeerLost, "rank ", rank, " sent ", bytes.size(),
         " bytes where hashes of masks were due");
  std::vector<Entry> list(bytes.size() / sizeof(Entry));
  if (!list.empty())
    std::memcpy(list.data(), bytes.data(), bytes.size());
  return list;
}

void MaskAgreement::compare(const std::vector<std::string> &all) {
  std::vector<std::vector<Entry>> theirs;
  for (unsigned rank = 0; rank < all.size(); ++rank) {
    theirs.push_back(parse(rank, all[rank]));
    if (!std::ranges::equal(theirs[rank], theirs[0], {}, &Entry::step,
                            &Entry::step))
      fail(ExitCode::PeerLost, "rank ", rank,
           " masked at other steps than rank 0");
  }
  for (std::size_t i = 0; !theirs.empty() && i < theirs[0].size(); ++i) {
    std::map<std::uint64_t, unsigned> votes;
    for (auto &list : theirs)
      ++votes[list[i].hash];
    if (votes.size() == 1)
      continue;
    // Of equal numbers rank 0's.
    std::uint64_t usual = theirs[0][i].hash;
    for (auto &[hash, count] : votes)
      if (count > votes[usual])
        usual = hash;
    std::string ranks;
    unsigned others = 0;
    for (unsigned rank = 0; rank < theirs.size(); ++rank)
      if (theirs[rank][i].hash != usual) {
        ranks += (others++ ? ", " : "") + std::to_string(rank);
      }
    fail(ExitCode::Numerics, "step ", theirs[0][i].step,
         ": AdaLoRA keeps other triplets on ", others == 1 ? "rank " : "ranks ",
         ranks, " than on the other ", theirs.size() - others, " of ",
         theirs.size(), " ranks");
  }
}

} // namespace llamarun
