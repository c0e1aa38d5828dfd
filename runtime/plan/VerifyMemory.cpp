// Allocations, buffers, tensors and constants.
#include "runtime/plan/VerifyContext.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace llamarun::verify {

static void checkAllocations(Context &context) {
  auto *allocations = context.plan.allocations();
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < sizeOf(allocations); ++i) {
    auto *allocation = allocations->Get(i);
    context.where = "allocation " + std::to_string(i) + ": ";
    checkName(context, allocation->name(), "name");
    context.require(allocation->category() <= fb::Category::MAX,
                    "unknown category");
    auto alignment = allocation->alignment();
    context.require(alignment != 0 && alignment <= 65536 &&
                        (alignment & (alignment - 1)) == 0,
                    "alignment of ", alignment,
                    " is not a power of two up to 65536");
    // Each term is below 2^48, so the sum cannot wrap before it is refused.
    context.require(allocation->bytes() <= kMaxBytes, allocation->bytes(),
                    " bytes");
    total += allocation->bytes() + alignment;
    context.require(total <= kMaxBytes,
                    "the allocations take more than 2^47 bytes");
  }
}

/// True if the bytes [begin, end) meet a row of `rows`, which has a pitch.
static bool meetsRow(const Range &rows, std::uint64_t begin,
                     std::uint64_t end) {
  begin = std::max(begin, rows.begin);
  end = std::min(end, rows.end);
  if (begin >= end)
    return false;
  auto inRow = (begin - rows.begin) % rows.pitch;
  // Inside a row, or beyond the gap after it in the next one, which is there:
  // `end` is no later than the end of the last.
  return inRow < rows.row || end - begin > rows.pitch - inRow;
}

bool Range::overlaps(const Range &o) const {
  if (allocation != o.allocation || begin >= o.end || o.begin >= end)
    return false;
  if (!pitch && !o.pitch)
    return true;
  if (!pitch)
    return meetsRow(o, begin, end);
  if (!o.pitch)
    return meetsRow(*this, o.begin, o.end);
  if (pitch != o.pitch)
    return true;
  // Columns of one wider matrix: rows of the later one begin `distance` bytes
  // after those of the earlier one, and may run into its next row.
  const Range &first = begin <= o.begin ? *this : o;
  const Range &second = begin <= o.begin ? o : *this;
  auto distance = (second.begin - first.begin) % pitch;
  if (distance < first.row)
    return true;
  // The next row of `first` may be beyond its last one.
  return distance + second.row > pitch &&
         meetsRow(first, second.begin + (pitch - distance), second.end);
}

void checkPacked(const Context &context, std::uint64_t buffer,
                 const char *what) {
  context.require(context.ranges[buffer].pitch == 0, what, " is buffer ",
                  buffer, ", which has a pitch");
}

/// The bytes the rows of a buffer span, from its first to its last; fills in
/// the pitch of `range`.
static std::uint64_t checkPitch(const Context &context,
                                const fb::Buffer &buffer, std::uint64_t bytes,
                                Range &range) {
  auto pitch = buffer.pitch();
  if (pitch == 0)
    return bytes;
  context.require(sizeOf(buffer.shape()) == 2, "a pitch needs rank 2, not ",
                  show(buffer.shape()));
  auto rows = buffer.shape()->Get(0), columns = buffer.shape()->Get(1);
  context.require(pitch >= columns, "a pitch of ", pitch,
                  " elements is less than a row of ", columns);
  if (pitch == columns)
    return bytes; // said at length, but packed
  std::uint64_t size = sizeOf(buffer.dtype());
  context.require(pitch <= kMaxBytes / size &&
                      rows - 1 <= kMaxBytes / (pitch * size),
                  "a pitch of ", pitch, " elements is too large");
  range.row = columns * size;
  range.pitch = pitch * size;
  return (rows - 1) * range.pitch + range.row;
}

static void checkBuffers(Context &context) {
  auto *allocations = context.plan.allocations();
  auto *buffers = context.plan.buffers();
  context.ranges.reserve(sizeOf(buffers));
  context.counts.reserve(sizeOf(buffers));
  for (std::size_t i = 0; i < sizeOf(buffers); ++i) {
    auto *buffer = buffers->Get(i);
    context.where = "buffer " + std::to_string(i) + ": ";
    context.require(buffer->allocation() < sizeOf(allocations), "allocation ",
                    buffer->allocation(), " of ", sizeOf(allocations));
    context.require(buffer->dtype() <= fb::DType::MAX, "unknown dtype");
    checkAligned(context, buffer->shape(), "its shape");
    context.require(sizeOf(buffer->shape()) <= kMaxRank, "rank above 8");
    std::uint64_t size = sizeOf(buffer->dtype()), bytes = size;
    for (std::size_t d = 0; d < sizeOf(buffer->shape()); ++d) {
      auto extent = buffer->shape()->Get(d);
      context.require(extent != 0 && extent <= kMaxBytes / bytes, "shape ",
                      show(buffer->shape()), " is empty or too large");
      bytes *= extent;
    }
    auto *allocation = allocations->Get(buffer->allocation());
    auto offset = buffer->offset();
    Range range;
    auto span = checkPitch(context, *buffer, bytes, range);
    context.require(offset <= allocation->bytes() &&
                        span <= allocation->bytes() - offset,
                    "bytes [", offset, ", +", span, ") are outside its ",
                    "allocation of ", allocation->bytes());
    context.require(offset % size == 0 && allocation->alignment() >= size,
                    "offset ", offset, " does not fit the alignment of ",
                    nameOf(buffer->dtype()));
    range.allocation = buffer->allocation();
    range.begin = offset;
    range.end = offset + span;
    context.ranges.push_back(range);
    context.counts.push_back(bytes / size);
  }
}

void checkMemory(Context &context) {
  checkAllocations(context);
  checkBuffers(context);
  context.where.clear();
}

/// The category whose allocations may hold tensors of `role`.
static fb::Category categoryFor(fb::Role role) {
  switch (role) {
  case fb::Role::Weight:
    return fb::Category::Weights;
  case fb::Role::Parameter:
    return fb::Category::Parameters;
  case fb::Role::Gradient:
    return fb::Category::Gradients;
  case fb::Role::FirstMoment:
  case fb::Role::SecondMoment:
  case fb::Role::State:
  case fb::Role::Sensitivity:
  case fb::Role::Uncertainty:
    return fb::Category::OptimizerState;
  case fb::Role::Constant:
    break;
  }
  return fb::Category::Constants;
}

static void checkInit(const Context &context, const fb::Tensor &tensor) {
  auto *init = tensor.init();
  context.require(init, "no init");
  context.require(init->kind() <= fb::InitKind::MAX, "unknown kind of init");
  context.require(std::isfinite(init->a()), "init value is not finite");
  bool accumulated = tensor.role() == fb::Role::Gradient ||
                     tensor.role() == fb::Role::FirstMoment ||
                     tensor.role() == fb::Role::SecondMoment ||
                     tensor.role() == fb::Role::Sensitivity ||
                     tensor.role() == fb::Role::Uncertainty;
  context.require(!accumulated || init->kind() == fb::InitKind::Zero,
                  "a gradient, moment or average must begin as zero");
  bool data = init->kind() == fb::InitKind::Data;
  context.require(tensor.role() != fb::Role::Constant || data,
                  "a constant needs data");
  if (!data)
    return;
  auto *constants = context.plan.constants();
  context.require(init->constant() < sizeOf(constants), "constant ",
                  init->constant(), " of ", sizeOf(constants));
  auto size = context.counts[tensor.buffer()] *
              sizeOf(context.buffer(tensor.buffer()).dtype());
  auto bytes = sizeOf(constants->Get(init->constant())->data());
  context.require(bytes == size, "its constant has ", bytes,
                  " bytes instead of ", size);
}

/// Global shape, sharding and local shape agree: each dimension is cut into as
/// many equal parts (rounded up) as its axes have devices, and there is such a
/// part.
static void checkSharding(const Context &context, const fb::Tensor &tensor) {
  auto *local = context.buffer(tensor.buffer()).shape();
  auto *global = tensor.global_shape();
  auto *sharding = tensor.sharding();
  checkAligned(context, global, "its global shape");
  context.require(tensor.side() <= fb::Side::MAX, "unknown side");
  auto *grid = context.plan.grid();
  if (tensor.side() == fb::Side::Source)
    grid = context.plan.source_grid();
  if (tensor.side() == fb::Side::Target)
    grid = context.plan.target_grid();
  context.require(sizeOf(global) == sizeOf(local) &&
                      sizeOf(sharding) <= sizeOf(local),
                  "global shape ", show(global), " and local shape ",
                  show(local), " differ in rank");
  std::uint64_t used = 0, allParts = 1;
  for (std::size_t d = 0; d < sizeOf(local); ++d) {
    std::uint64_t parts = 1;
    auto *axes = d < sizeOf(sharding) ? sharding->Get(d)->axes() : nullptr;
    for (std::size_t j = 0; j < sizeOf(axes); ++j) {
      auto axis = axes->Get(j);
      context.require(axis < sizeOf(grid) && !(used >> axis & 1), "dimension ",
                      d, " is split over a missing or used axis");
      used |= 1ull << axis;
      parts *= grid->Get(axis)->size();
    }
    auto extent = global->Get(d);
    context.require(extent <= kMaxBytes &&
                        local->Get(d) == (extent + parts - 1) / parts,
                    "local shape ", show(local), " is not global shape ",
                    show(global), " over its axes");
    allParts *= parts;
  }
  // A tensor of a plan that runs on its own grid is whichever part its rank's.
  if (tensor.side() == fb::Side::Own)
    allParts = 1;
  context.require(tensor.part() < allParts, "part ", tensor.part(), " of ",
                  allParts);
}

/// What tells tensors apart.
struct Key {
  std::string_view name;
  fb::Side side;
  std::uint32_t part;
  fb::Role role;
  auto operator<=>(const Key &) const = default;
};
using ByName = std::map<Key, const fb::Tensor *>;

/// Everything that trains has a gradient and both moments of its shape at its
/// offset, of what is differentiated alone a gradient; nothing else has either.
static void checkFamilies(Context &context, const ByName &byName) {
  bool trains = false, differentiates = false;
  for (std::size_t i = 0; i < sizeOf(context.plan.programs()); ++i) {
    auto kind = context.plan.programs()->Get(i)->kind();
    trains |=
        kind == fb::ProgramKind::Train || kind == fb::ProgramKind::Accumulate;
    differentiates |= trains || kind == fb::ProgramKind::Gradient;
  }
  for (auto &[key, tensor] : byName) {
    fb::Role role = key.role;
    auto with = [&key](fb::Role other) {
      return Key{key.name, key.side, key.part, other};
    };
    context.where = "tensor '" + std::string(key.name) + "': ";
    // One flat buffer: the optimizer goes over it element by element.
    if (role == fb::Role::Parameter || role == fb::Role::Gradient ||
        role == fb::Role::FirstMoment || role == fb::Role::SecondMoment ||
        role == fb::Role::Sensitivity || role == fb::Role::Uncertainty)
      checkPacked(context, tensor->buffer(), nameOf(role));
    if (role == fb::Role::Parameter) {
      auto &range = context.ranges[tensor->buffer()];
      context.require(range.begin % 64 == 0,
                      "a parameter must start at a multiple of 64 bytes");
      for (auto other : {fb::Role::Gradient, fb::Role::FirstMoment,
                         fb::Role::SecondMoment}) {
        auto found = byName.find(with(other));
        if (found == byName.end()) {
          bool needed = other == fb::Role::Gradient ? differentiates : trains;
          context.require(!needed, "a parameter without ", nameOf(other));
          continue;
        }
        auto &mine = context.buffer(tensor->buffer());
        auto &its = context.buffer(found->second->buffer());
        bool same = sizeOf(mine.shape()) == sizeOf(its.shape()) &&
                    mine.dtype() == its.dtype() &&
                    mine.offset() == its.offset();
        for (std::size_t d = 0; same && d < sizeOf(mine.shape()); ++d)
          same = mine.shape()->Get(d) == its.shape()->Get(d);
        context.require(same, "its ", nameOf(other), " has shape ",
                        show(its.shape()), " at ", its.offset(),
                        ", the parameter ", show(mine.shape()), " at ",
                        mine.offset());
      }
    } else if (role == fb::Role::Gradient || role == fb::Role::FirstMoment ||
               role == fb::Role::SecondMoment) {
      context.require(byName.count(with(fb::Role::Parameter)), nameOf(role),
                      " of something that is no parameter");
    } else if (role == fb::Role::Sensitivity || role == fb::Role::Uncertainty) {
      auto found = byName.find(with(fb::Role::Parameter));
      context.require(found != byName.end(), nameOf(role),
                      " of something that is no parameter");
      auto &mine = context.buffer(tensor->buffer());
      auto &its = context.buffer(found->second->buffer());
      context.require(mine.dtype() == fb::DType::F32 &&
                          show(mine.shape()) == show(its.shape()),
                      "its ", nameOf(role), " is ", nameOf(mine.dtype()), " ",
                      show(mine.shape()), " instead of f32 ",
                      show(its.shape()));
    } else if (role == fb::Role::Weight) {
      context.require(!byName.count(with(fb::Role::Parameter)),
                      "both a frozen weight and a parameter");
    }
  }
}

void checkTensors(Context &context) {
  auto *tensors = context.plan.tensors();
  ByName byName;
  std::vector<std::pair<Range, std::string_view>> used;
  for (std::size_t i = 0; i < sizeOf(tensors); ++i) {
    auto &tensor = *tensors->Get(i);
    context.where = "tensor " + std::to_string(i) + ": ";
    auto name = checkName(context, tensor.name(), "name");
    context.where = "tensor '" + std::string(name) + "': ";
    context.require(tensor.role() <= fb::Role::MAX, "unknown role");
    context.checkBuffer(tensor.buffer(), "its storage");
    context.require(context.categoryOf(tensor.buffer()) ==
                        categoryFor(tensor.role()),
                    "a ", nameOf(tensor.role()), " in an allocation for ",
                    nameOf(context.categoryOf(tensor.buffer())));
    checkInit(context, tensor);
    checkSharding(context, tensor);
    context.require(
        byName
            .emplace(Key{name, tensor.side(), tensor.part(), tensor.role()},
                     &tensor)
            .second,
        "listed twice as ", nameOf(tensor.role()));
    used.emplace_back(context.ranges[tensor.buffer()], name);
  }
  checkFamilies(context, byName);
  std::sort(used.begin(), used.end(), [](auto &x, auto &y) {
    return std::tie(x.first.allocation, x.first.begin) <
           std::tie(y.first.allocation, y.first.begin);
  });
  context.where.clear();
  // Those whose extent reaches to where the next one begins: itself alone, but
  // for tensors that are columns of one matrix.
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < used.size(); ++i) {
    auto &[range, name] = used[i];
    std::erase_if(open, [&](std::size_t j) {
      return used[j].first.allocation != range.allocation ||
             used[j].first.end <= range.begin;
    });
    for (auto j : open)
      context.require(!used[j].first.overlaps(range), "tensors '",
                      used[j].second, "' and '", name, "' overlap in memory");
    context.require(open.size() < kMaxInterleaved, "more than ",
                    kMaxInterleaved, " tensors lie between each other's rows");
    open.push_back(i);
  }
}

} // namespace llamarun::verify
