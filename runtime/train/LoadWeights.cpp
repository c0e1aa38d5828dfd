#include "runtime/train/LoadWeights.h"

#include "runtime/support/Error.h"
#include "runtime/train/Elements.h"

#include <algorithm>
#include <vector>

namespace llamarun {
namespace {

void writeConverted(Session &session, const fb::Tensor &tensor, fb::DType dtype,
                    const TensorView &source) {
  constexpr std::size_t kChunk = 1 << 18;
  std::size_t width = bitsOf(source.dtype) / 8;
  std::vector<float> values;
  std::vector<std::byte> bytes;
  for (std::size_t first = 0; first < source.elements(); first += kChunk) {
    values.resize(std::min(kChunk, source.elements() - first));
    bytes.resize(values.size() * sizeOf(dtype));
    toFloat(source.dtype,
            source.bytes.subspan(first * width, values.size() * width), values);
    fromFloat(toFileDType(dtype), values, bytes);
    session.writeTensorPart(tensor.role(), viewOf(tensor.name()), bytes,
                            first * sizeOf(dtype));
  }
}

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

} // namespace

void loadWeights(Session &session, const HfCheckpoint &checkpoint) {
  const Plan &plan = session.plan();
  for (std::size_t i = 0; i < plan.tensorCount(); ++i) {
    const fb::Tensor &tensor = plan.tensor(i);
    if (tensor.init()->kind() != fb::InitKind::Checkpoint)
      continue;
    auto name = viewOf(tensor.name());
    auto dtype = plan.buffer(tensor.buffer()).dtype();
    const TensorView &source = checkpoint.require(
        nameInFile(plan, checkpoint, name), wholeShape(plan, tensor));
    if (!isConvertibleToFloat(source.dtype) ||
        !isConvertibleToFloat(toFileDType(dtype)))
      fail(ExitCode::BadInput, checkpoint.fileOf(source.name).string(),
           ": tensor '", source.name, "' is ", nameOf(source.dtype),
           "; the plan wants ", nameOf(dtype));
    if (source.dtype == toFileDType(dtype))
      session.writeTensor(tensor.role(), name, source.bytes);
    else
      writeConverted(session, tensor, dtype, source);
  }
}

} // namespace llamarun
