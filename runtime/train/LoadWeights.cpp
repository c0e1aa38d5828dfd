#include "runtime/train/LoadWeights.h"

#include "runtime/support/Error.h"
#include "runtime/train/Elements.h"
#include "runtime/train/TensorUpload.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace llamarun {
namespace {

/// The name under which the checkpoint has the tensor. With tied embeddings
/// Transformers ignores an `lm_head.weight` of the file, unless that is the
/// only one of the two there.
std::string_view nameInFile(const Plan &plan, const HfCheckpoint &checkpoint,
                            std::string_view name) {
  constexpr std::string_view embedding = "model.embed_tokens.weight";
  constexpr std::string_view head = "lm_head.weight";
  if (!plan.model().tied_embeddings() || (name != embedding && name != head))
    return name;
  return checkpoint.find(embedding) || !checkpoint.find(head) ? embedding
                                                              : head;
}

/// Elements of a file's tensor in another dtype.
void convert(const TensorView &source, DType dtype, std::uint64_t first,
             std::span<std::byte> out) {
  constexpr std::size_t kChunk = 1 << 14; // stays in the cache
  std::size_t from = bitsOf(source.dtype) / 8, to = bitsOf(dtype) / 8;
  std::vector<float> values(std::min(kChunk, out.size() / to));
  for (std::size_t done = 0; done < out.size() / to;) {
    auto count = std::min(values.size(), out.size() / to - done);
    std::span<float> some(values.data(), count);
    toFloat(source.dtype,
            source.bytes.subspan((first + done) * from, count * from), some);
    fromFloat(dtype, some, out.subspan(done * to, count * to));
    done += count;
  }
}

} // namespace

void loadWeights(Session &session, const HfCheckpoint &checkpoint,
                 unsigned threads, const Ranks &ranks) {
  const Plan &plan = session.plan();
  struct Found {
    const fb::Tensor *tensor;
    const TensorView *source;
    TensorSlice slice;
  };
  // Everything is looked up before anything is sent.
  std::vector<Found> tensors;
  for (std::size_t i = 0; i < plan.tensorCount(); ++i) {
    const fb::Tensor &tensor = plan.tensor(i);
    if (tensor.init()->kind() != fb::InitKind::Checkpoint)
      continue;
    auto dtype = plan.buffer(tensor.buffer()).dtype();
    auto slice = ranks.slice(plan, tensor);
    const TensorView &source = checkpoint.require(
        nameInFile(plan, checkpoint, viewOf(tensor.name())), slice.whole);
    if (!isConvertibleToFloat(source.dtype) ||
        !isConvertibleToFloat(toFileDType(dtype)))
      fail(ExitCode::BadInput, checkpoint.fileOf(source.name).string(),
           ": tensor '", source.name, "' is ", nameOf(source.dtype),
           "; the plan wants ", nameOf(dtype));
    tensors.push_back({&tensor, &source, std::move(slice)});
  }
  TensorUpload upload(session, threads);
  for (auto &[tensor, source, slice] : tensors) {
    auto dtype = toFileDType(plan.buffer(tensor->buffer()).dtype());
    std::uint64_t size = bitsOf(dtype) / 8;
    bool same = source->dtype == dtype;
    auto make = [&, view = source, &its = slice](std::uint64_t first,
                                                 std::span<std::byte> out) {
      ranks.progress();
      its.forEachRun(
          first, out.size() / size, [&](auto index, auto at, auto count) {
            auto part = out.subspan(at * size, count * size);
            if (same)
              std::memcpy(part.data(), view->bytes.data() + index * size,
                          part.size());
            else
              convert(*view, dtype, index, part);
          });
    };
    upload.write(*tensor, make);
  }
  upload.finish();
}

} // namespace llamarun
