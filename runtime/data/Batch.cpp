#include "runtime/data/Batch.h"

#include "runtime/support/Error.h"

#include <algorithm>
#include <cmath>

namespace llamarun {

static void packLabels(Batch &batch, std::span<const float> labels,
                       HeadKind head) {
  for (size_t i = 0; i < labels.size(); ++i) {
    float label = labels[i];
    if (std::isnan(label))
      continue;
    ++batch.labelCount;
    if (head == HeadKind::Regression) {
      batch.scores[i] = label;
      continue;
    }
    if (!(label >= 0 && label < 65536) || label != std::floor(label))
      fail(ExitCode::Usage, "label ", label, " of sequence ", i,
           " is no class id");
    batch.labels[i] = static_cast<int32_t>(label);
  }
}

Batch pack(std::span<const std::vector<int32_t>> sequences,
           std::span<const float> labels, HeadKind head, int32_t bucketTokens,
           int32_t maxSequences) {
  bool perRow = head == HeadKind::CausalLM;
  if (bucketTokens < 1 || maxSequences < 1)
    fail(ExitCode::Usage, "a bucket of ", bucketTokens, " tokens and ",
         maxSequences, " sequences holds nothing");
  if (sequences.size() > static_cast<size_t>(maxSequences))
    fail(ExitCode::BadInput, "a batch of ", sequences.size(),
         " sequences does not fit a program of ", maxSequences);
  if (!perRow && !labels.empty() && labels.size() != sequences.size())
    fail(ExitCode::Usage, labels.size(), " labels for ", sequences.size(),
         " sequences");
  Batch batch;
  batch.inputIds.assign(bucketTokens, 0);
  batch.positions.assign(bucketTokens, 0);
  batch.poolIndex.assign(bucketTokens, -1);
  batch.lastToken.assign(maxSequences, 0);
  if (perRow)
    batch.labels.assign(bucketTokens, kNoLabel);
  else if (head == HeadKind::Regression)
    batch.scores.assign(maxSequences, std::nanf(""));
  else
    batch.labels.assign(maxSequences, kNoLabel);
  batch.cuSeqlens.reserve(maxSequences + 1);
  batch.cuSeqlens.push_back(0);
  for (const std::vector<int32_t> &ids : sequences) {
    if (ids.empty())
      fail(ExitCode::BadInput, "sequence ", batch.sequences,
           " of a batch has no tokens");
    if (ids.size() > static_cast<size_t>(bucketTokens - batch.tokens))
      fail(ExitCode::BadInput, "sequence ", batch.sequences, " of ", ids.size(),
           " tokens does not fit the remaining ", bucketTokens - batch.tokens,
           " of a bucket of ", bucketTokens);
    int32_t first = batch.tokens;
    for (size_t k = 0; k < ids.size(); ++k) {
      int32_t row = first + static_cast<int32_t>(k);
      batch.inputIds[row] = ids[k];
      batch.positions[row] = static_cast<int32_t>(k);
      if (perRow && k + 1 < ids.size())
        batch.labels[row] = ids[k + 1];
    }
    batch.tokens += static_cast<int32_t>(ids.size());
    if (perRow)
      batch.labelCount += static_cast<int32_t>(ids.size()) - 1;
    batch.lastToken[batch.sequences] = batch.tokens - 1;
    batch.poolIndex[batch.tokens - 1] = batch.sequences++;
    batch.cuSeqlens.push_back(batch.tokens);
  }
  batch.cuSeqlens.resize(maxSequences + 1, batch.tokens);
  if (!perRow)
    packLabels(batch, labels, head);
  return batch;
}

int32_t chooseBucket(std::span<const int32_t> buckets, int64_t tokens) {
  auto bucket = std::lower_bound(buckets.begin(), buckets.end(), tokens);
  if (bucket == buckets.end())
    fail(ExitCode::BadInput, "sequence longer than the plan's bucket: ", tokens,
         " tokens, the largest bucket holds ",
         buckets.empty() ? 0 : buckets.back());
  return *bucket;
}

} // namespace llamarun
