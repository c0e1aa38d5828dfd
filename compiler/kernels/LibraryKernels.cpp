#include "compiler/kernels/LibraryKernels.h"

#include "compiler/kernels/AttentionPlace.h"
#include "compiler/kernels/FoldPlace.h"
#include "compiler/kernels/LibraryCode.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace llamac {
namespace {

using Buffer = LibraryBuffer;
using Launches = std::vector<LibraryLaunch>;

constexpr int64_t kShort = 128; // tokens that the one-launch kernels hold
// Tokens a sequence from which wgmma wins, if all rows of the bucket are real.
constexpr int64_t kFew = 64;

uint32_t ceilDiv(int64_t a, int64_t b) { return uint32_t((a + b - 1) / b); }

bool possible(const AttentionShape &s) {
  constexpr int64_t limit = std::numeric_limits<int32_t>::max() / 2;
  return s.headDim > 0 && s.headDim <= 256 && s.kvHeads > 0 && s.heads > 0 &&
         s.heads % s.kvHeads == 0 && s.heads <= 65535 && s.tokens > 0 &&
         s.tokens < limit && s.sequences > 0 && s.sequences < 65535 &&
         kernels::slotCount(s.tokens, s.sequences, 64) <= 65535 && s.scale > 0;
}

bool tensorCores(const AttentionShape &s, std::vector<int64_t> pitches) {
  return s.type == LibraryType::BF16 && (s.headDim == 64 || s.headDim == 128) &&
         std::all_of(pitches.begin(), pitches.end(),
                     [](int64_t pitch) { return pitch % 8 == 0; });
}

/// The cubin of sm_90 has what sm_90a has.
bool hopper(std::string_view arch, bool ptx) {
  return !ptx && (arch == "sm_90" || arch == "sm_90a");
}

using Variant = AttentionVariant;

int64_t longest(const AttentionShape &s) {
  return std::min(s.maxLength, s.tokens);
}
/// A sequence a block: 192 KiB of shared memory at head size 128.
bool useShort(const AttentionShape &s, std::string_view arch, bool ptx) {
  bool fits = longest(s) <= kShort && s.heads / s.kvHeads <= 64 &&
              (s.headDim == 64 || hopper(arch, ptx));
  bool wins = s.tokens <= kFew * s.sequences || !hopper(arch, ptx);
  return fits && (s.variant == Variant::Short ||
                  (s.variant == Variant::Fastest && wins));
}
/// Below kFew the forward kernel of 64 rows wins, the gradient's does not.
bool useHopper(const AttentionShape &s, std::string_view arch, bool ptx,
               bool grad) {
  return hopper(arch, ptx) && (s.variant == Variant::Hopper ||
                               (s.variant == Variant::Fastest &&
                                (grad || s.tokens > kFew * s.sequences)));
}

std::string suffix(const AttentionShape &s) {
  return "_bf16_d" + std::to_string(s.headDim);
}
std::string plainSuffix(const AttentionShape &s) {
  return s.type == LibraryType::F32 ? "_plain_f32" : "_plain_bf16";
}

/// T, B, heads, kv_heads, the pitches, scale; the plain kernels' head size.
std::vector<int64_t> scalars(const AttentionShape &s,
                             const std::vector<int64_t> &pitches, bool plain) {
  std::vector<int64_t> values{s.tokens, s.sequences, s.heads, s.kvHeads};
  values.insert(values.end(), pitches.begin(), pitches.end());
  values.push_back(std::bit_cast<uint32_t>(s.scale));
  if (plain)
    values.push_back(s.headDim);
  return values;
}

} // namespace

std::optional<Launches> attentionForwardLaunches(const AttentionShape &s,
                                                 std::string_view arch,
                                                 bool ptx) {
  if (!possible(s))
    return std::nullopt;
  const AttentionPitches &p = s.pitches;
  std::vector<int64_t> pitches{p.q, p.k, p.v, p.out};
  std::vector<Buffer> reads{Buffer::Q, Buffer::K, Buffer::V, Buffer::CuSeqlens},
      writes{Buffer::Out, Buffer::Lse};
  uint32_t heads = uint32_t(s.heads);
  if (!tensorCores(s, pitches))
    return Launches{{"attention_plain",
                     "attention_forward" + plainSuffix(s),
                     {ceilDiv(s.tokens, 4), heads, 1},
                     {128, 1, 1},
                     0,
                     reads,
                     writes,
                     scalars(s, pitches, true)}};
  if (useShort(s, arch, ptx))
    return Launches{{"attention_short",
                     "attention_short" + suffix(s),
                     {uint32_t(s.kvHeads), uint32_t(s.sequences + 1),
                      ceilDiv(longest(s) * s.heads / s.kvHeads, 128)},
                     {256, 1, 1},
                     uint32_t(3 * 128 * s.headDim * 2),
                     reads,
                     writes,
                     scalars(s, pitches, false)}};
  bool wide = useHopper(s, arch, ptx, false);
  int64_t rows = wide ? 128 : 64;
  uint32_t tile = uint32_t(rows * s.headDim * 2);
  std::string module = wide ? "attention_forward_hopper" : "attention_forward";
  // wide: barriers, and room to begin at a multiple of 1024.
  return Launches{
      {module,
       module + suffix(s),
       {heads, uint32_t(kernels::slotCount(s.tokens, s.sequences, rows)), 1},
       {wide ? 384u : 128u, 1, 1},
       5 * tile + (wide ? 1024 + 64 : 0),
       reads,
       writes,
       scalars(s, pitches, false)}};
}

std::optional<Launches> attentionGradLaunches(const AttentionShape &s,
                                              std::string_view arch, bool ptx) {
  if (!possible(s))
    return std::nullopt;
  const AttentionPitches &p = s.pitches;
  std::vector<int64_t> all{p.q, p.k, p.v, p.out, p.dout, p.dq, p.dk, p.dv};
  std::vector<int64_t> pitchesQ{p.q, p.k, p.v, p.out, p.dout, p.dq};
  std::vector<int64_t> pitchesKv{p.q, p.k, p.v, p.dout, p.dk, p.dv};
  std::vector<Buffer> readsQ{Buffer::Q,         Buffer::K,   Buffer::V,
                             Buffer::CuSeqlens, Buffer::Out, Buffer::Lse,
                             Buffer::Dout};
  std::vector<Buffer> readsKv{Buffer::Q,         Buffer::K,   Buffer::V,
                              Buffer::CuSeqlens, Buffer::Lse, Buffer::Dout,
                              Buffer::Delta};
  uint32_t heads = uint32_t(s.heads), kvHeads = uint32_t(s.kvHeads);
  if (!tensorCores(s, all)) {
    uint32_t rows = ceilDiv(s.tokens, 4);
    return Launches{{"attention_plain",
                     "attention_grad_q" + plainSuffix(s),
                     {rows, heads, 1},
                     {128, 1, 1},
                     0,
                     readsQ,
                     {Buffer::Dq, Buffer::Delta},
                     scalars(s, pitchesQ, true)},
                    {"attention_plain",
                     "attention_grad_kv" + plainSuffix(s),
                     {rows, kvHeads, 1},
                     {128, 1, 1},
                     0,
                     readsKv,
                     {Buffer::Dk, Buffer::Dv},
                     scalars(s, pitchesKv, true)}};
  }
  if (useShort(s, arch, ptx))
    return Launches{{"attention_short",
                     "attention_short_grad" + suffix(s),
                     {kvHeads, uint32_t(s.sequences + 1), 1},
                     {256, 1, 1},
                     uint32_t(128 * (8 * s.headDim + 512)),
                     readsQ,
                     {Buffer::Dq, Buffer::Dk, Buffer::Dv},
                     scalars(s, all, false)}};
  bool wide = useHopper(s, arch, ptx, true);
  int64_t rows = wide ? 128 : 64;
  uint32_t tile = uint32_t(64 * s.headDim * 2), threads = wide ? 384 : 128;
  uint32_t slots = uint32_t(kernels::slotCount(s.tokens, s.sequences, rows));
  std::string module =
                  wide ? "attention_backward_hopper" : "attention_backward",
              infix = wide ? "_hopper" : "";
  // wide: four tiles, four stages of two and 512 bytes, barriers, alignment.
  uint32_t shared = 12 * tile + 4 * 512 + 64 + 1024;
  return Launches{{module,
                   "attention_grad_q" + infix + suffix(s),
                   {heads, slots, 1},
                   {threads, 1, 1},
                   wide ? shared : 6 * tile + 256,
                   readsQ,
                   {Buffer::Dq, Buffer::Delta},
                   scalars(s, pitchesQ, false)},
                  {module,
                   "attention_grad_kv" + infix + suffix(s),
                   {kvHeads, slots, 1},
                   {threads, 1, 1},
                   wide ? shared : 6 * tile + 1024,
                   readsKv,
                   {Buffer::Dk, Buffer::Dv},
                   scalars(s, pitchesKv, false)}};
}

int64_t attentionDeltaBytes(const Launches &launches,
                            const AttentionShape &shape) {
  for (const LibraryLaunch &launch : launches)
    if (std::count(launch.writes.begin(), launch.writes.end(), Buffer::Delta))
      return shape.tokens * shape.heads * int64_t(sizeof(float));
  return 0;
}

std::vector<int64_t> foldTable(std::vector<FoldEntry> entries) {
  std::sort(
      entries.begin(), entries.end(),
      [](const FoldEntry &a, const FoldEntry &b) { return a.first < b.first; });
  std::vector<int64_t> table;
  for (const FoldEntry &e : entries)
    table.insert(table.end(),
                 {e.first, e.count, e.columns, e.target, e.pitch,
                  int64_t(std::bit_cast<uint32_t>(e.scale)), e.scales});
  return table;
}

LibraryLaunch foldLaunch(LibraryType type, int64_t rows, int64_t segments) {
  return {"fold_factors",
          type == LibraryType::F32 ? "fold_factors_f32" : "fold_factors_bf16",
          {ceilDiv(rows, kernels::kFoldRows), 1, 1},
          {uint32_t(kernels::kFoldRow / 8), 1, 1},
          0,
          {Buffer::Params, Buffer::FoldTable},
          {Buffer::Weights},
          {segments, rows}};
}

std::optional<std::string_view> libraryCode(std::string_view module,
                                            std::string_view arch, bool ptx) {
  std::string_view format = ptx ? "ptx" : arch == "sm_90a" ? "sm_90" : arch;
  for (const EmbeddedCode &code : embeddedCode())
    if (code.module == module && code.format == format)
      return code.bytes;
  return std::nullopt;
}

} // namespace llamac
