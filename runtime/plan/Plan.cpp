#include "runtime/plan/Plan.h"

#include "runtime/plan/Container.h"
#include "runtime/plan/SchemaHash.h"
#include "runtime/plan/Verify.h"
#include "runtime/support/Error.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <new>
#include <sys/stat.h>
#include <unistd.h>

namespace llamarun {
namespace {

constexpr std::align_val_t kStorageAlignment{64};

/// A file descriptor that closes itself.
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0)
      ::close(fd);
  }
};

} // namespace

void Plan::AlignedDelete::operator()(std::byte *p) const {
  ::operator delete(p, kStorageAlignment);
}

std::unique_ptr<std::byte, Plan::AlignedDelete>
Plan::allocate(std::size_t size) {
  return std::unique_ptr<std::byte, AlignedDelete>(
      static_cast<std::byte *>(::operator new(size, kStorageAlignment)));
}

std::shared_ptr<const Plan> Plan::load(const std::string &path) {
  // O_NONBLOCK: opening a FIFO must fail below, not hang here.
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0)
    fail(ExitCode::BadInput, path, ": cannot open: ", std::strerror(errno));
  struct stat status {};
  if (::fstat(file.fd, &status) != 0)
    fail(ExitCode::BadInput, path, ": cannot read: ", std::strerror(errno));
  if (!S_ISREG(status.st_mode))
    fail(ExitCode::BadInput, path, ": not a regular file");
  auto size = static_cast<std::uint64_t>(status.st_size);
  if (size >= FLATBUFFERS_MAX_BUFFER_SIZE)
    fail(ExitCode::BadInput, path, ": ", size,
         " bytes are too many for a plan (2 GiB at most)");
  // Look at the magic before reading a file that may be a 2 GB video.
  char magic[8] = {};
  if (size < sizeof magic ||
      ::pread(file.fd, magic, sizeof magic, 0) != sizeof magic ||
      std::memcmp(magic, fb::kContainerMagic, sizeof magic) != 0)
    fail(ExitCode::BadInput, path,
         ": not a plan: it does not begin with \"LLAMAPLN\"");

  auto storage = allocate(size);
  std::size_t done = 0;
  while (done < size) {
    auto got = ::pread(file.fd, storage.get() + done, size - done,
                       static_cast<off_t>(done));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      fail(ExitCode::BadInput, path, ": cannot read: ", std::strerror(errno));
    if (got == 0)
      break;
    done += static_cast<std::size_t>(got);
  }
  std::shared_ptr<Plan> plan(new Plan);
  plan->file = path;
  plan->adopt(std::move(storage), done);
  return plan;
}

std::shared_ptr<const Plan> Plan::fromBytes(std::span<const std::byte> bytes,
                                            const std::string &name) {
  auto storage = allocate(bytes.size());
  if (!bytes.empty())
    std::memcpy(storage.get(), bytes.data(), bytes.size());
  std::shared_ptr<Plan> plan(new Plan);
  plan->file = name;
  plan->adopt(std::move(storage), bytes.size());
  return plan;
}

void Plan::adopt(std::unique_ptr<std::byte, AlignedDelete> bytes,
                 std::size_t size) {
  storage = std::move(bytes);
  std::string error;
  auto payload = fb::openContainer({storage.get(), size}, error);
  if (!payload)
    fail(ExitCode::BadInput, file, ": ", error);
  // The schema hash must be compared before the tables are trusted, and needs
  // the tables: FlatBuffers' verifier accepts plans of related schemas.
  if (payload->size() >= FLATBUFFERS_MAX_BUFFER_SIZE)
    fail(ExitCode::BadInput, file, ": plan too large");
  auto *data = reinterpret_cast<const std::uint8_t *>(payload->data());
  // Steps are two tables each; 2^22 tables are some hundred times what a
  // 32-layer model with seven buckets needs.
  flatbuffers::Verifier verifier(data, payload->size(), /*max_depth=*/16,
                                 /*max_tables=*/1u << 22);
  if (!fb::VerifyPlanBuffer(verifier))
    fail(ExitCode::BadInput, file, ": corrupt plan: malformed FlatBuffer");
  table = fb::GetPlan(data);
  auto hash = viewOf(table->schema_hash());
  if (hash != fb::kSchemaHash)
    fail(ExitCode::BadInput, file, ": plan was made by llamac ",
         table->compiler_version()
             ? printable(viewOf(table->compiler_version()))
             : "(unknown version)",
         " with another plan schema; rebuild it with the llamac of this "
         "llamarun");
  verifyPlan(*table, file);

  static const char digits[] = "0123456789abcdef";
  for (std::size_t i = 24; i < 40; ++i) {
    auto byte = std::to_integer<unsigned>(storage.get()[i]);
    payloadHash += digits[byte >> 4];
    payloadHash += digits[byte & 15];
  }
}

std::size_t Plan::allocationCount() const {
  return sizeOf(table->allocations());
}
std::size_t Plan::bufferCount() const { return sizeOf(table->buffers()); }
std::size_t Plan::tensorCount() const { return sizeOf(table->tensors()); }
std::size_t Plan::programCount() const { return sizeOf(table->programs()); }

const fb::Allocation &Plan::allocation(std::size_t i) const {
  return *table->allocations()->Get(static_cast<flatbuffers::uoffset_t>(i));
}
const fb::Buffer &Plan::buffer(std::size_t i) const {
  return *table->buffers()->Get(static_cast<flatbuffers::uoffset_t>(i));
}
const fb::Tensor &Plan::tensor(std::size_t i) const {
  return *table->tensors()->Get(static_cast<flatbuffers::uoffset_t>(i));
}
const fb::Program &Plan::program(std::size_t i) const {
  return *table->programs()->Get(static_cast<flatbuffers::uoffset_t>(i));
}

std::uint64_t Plan::elements(std::size_t i) const {
  std::uint64_t count = 1;
  if (auto *shape = buffer(i).shape())
    for (std::uint64_t extent : *shape)
      count *= extent;
  return count;
}
std::uint64_t Plan::bytes(std::size_t i) const {
  return elements(i) * sizeOf(buffer(i).dtype());
}

Plan::Rows Plan::rows(std::size_t i) const {
  auto &b = buffer(i);
  auto size = sizeOf(b.dtype());
  if (b.pitch() == 0 || b.pitch() == b.shape()->Get(1))
    return {1, bytes(i), bytes(i)};
  return {b.shape()->Get(0), b.shape()->Get(1) * size, b.pitch() * size};
}

std::uint64_t Plan::gridSize() const {
  std::uint64_t size = 1;
  if (auto *grid = table->grid())
    for (auto *axis : *grid)
      size *= axis->size();
  return size;
}

const fb::Tensor *Plan::findTensor(fb::Role role, std::string_view name,
                                   fb::Side side, std::uint32_t part) const {
  for (std::size_t i = 0; i < tensorCount(); ++i)
    if (tensor(i).role() == role && tensor(i).side() == side &&
        tensor(i).part() == part && viewOf(tensor(i).name()) == name)
      return &tensor(i);
  return nullptr;
}

const fb::Program *Plan::find(fb::ProgramKind kind, std::uint64_t tokens,
                              std::uint64_t sequences) const {
  const fb::Program *best = nullptr;
  for (std::size_t i = 0; i < programCount(); ++i) {
    auto &candidate = program(i);
    if (candidate.kind() == kind && candidate.tokens() >= tokens &&
        candidate.sequences() >= sequences &&
        (!best || candidate.tokens() < best->tokens()))
      best = &candidate;
  }
  return best;
}

std::uint64_t sizeOf(fb::DType dtype) {
  switch (dtype) {
  case fb::DType::F64:
  case fb::DType::I64:
    return 8;
  case fb::DType::F32:
  case fb::DType::I32:
    return 4;
  case fb::DType::BF16:
  case fb::DType::F16:
    return 2;
  case fb::DType::U8:
    return 1;
  }
  return 0;
}

const char *nameOf(fb::DType dtype) {
  switch (dtype) {
  case fb::DType::F32:
    return "f32";
  case fb::DType::BF16:
    return "bf16";
  case fb::DType::F16:
    return "f16";
  case fb::DType::F64:
    return "f64";
  case fb::DType::I32:
    return "i32";
  case fb::DType::I64:
    return "i64";
  case fb::DType::U8:
    return "u8";
  }
  return "unknown";
}

const char *nameOf(fb::Category category) {
  switch (category) {
  case fb::Category::Weights:
    return "weights";
  case fb::Category::Parameters:
    return "parameters";
  case fb::Category::Gradients:
    return "gradients";
  case fb::Category::OptimizerState:
    return "optimizer state";
  case fb::Category::Inputs:
    return "inputs";
  case fb::Category::Outputs:
    return "outputs";
  case fb::Category::Activations:
    return "activations";
  case fb::Category::Constants:
    return "constants";
  case fb::Category::Workspace:
    return "workspace";
  }
  return "unknown";
}

const char *nameOf(fb::ProgramKind kind) {
  switch (kind) {
  case fb::ProgramKind::Train:
    return "train";
  case fb::ProgramKind::Accumulate:
    return "accumulate";
  case fb::ProgramKind::Evaluate:
    return "evaluate";
  case fb::ProgramKind::Reshard:
    return "reshard";
  case fb::ProgramKind::Probe:
    return "probe";
  case fb::ProgramKind::Gradient:
    return "gradient";
  }
  return "unknown";
}

const char *nameOf(fb::Role role) {
  switch (role) {
  case fb::Role::Weight:
    return "weight";
  case fb::Role::Parameter:
    return "parameter";
  case fb::Role::Gradient:
    return "gradient";
  case fb::Role::FirstMoment:
    return "first moment";
  case fb::Role::SecondMoment:
    return "second moment";
  case fb::Role::Constant:
    return "constant";
  case fb::Role::State:
    return "state";
  case fb::Role::Sensitivity:
    return "sensitivity";
  case fb::Role::Uncertainty:
    return "uncertainty";
  }
  return "unknown";
}

const char *nameOf(fb::Operation operation) {
  switch (operation) {
  case fb::Operation::Gemm:
    return "gemm";
  case fb::Operation::Launch:
    return "launch";
  case fb::Operation::Copy:
    return "copy";
  case fb::Operation::Fill:
    return "fill";
  case fb::Operation::Collective:
    return "collective";
  case fb::Operation::NONE:
    break;
  }
  return "unknown";
}

} // namespace llamarun
