// Tensors of a Session, written and read as packed row-major elements whatever
// the pitch of their buffer.
#include "runtime/executor/Session.h"

#include "runtime/plan/Verify.h"
#include "runtime/support/Error.h"

#include <algorithm>
#include <vector>

namespace llamarun {

const fb::Tensor &Session::tensor(fb::Role role, std::string_view name) const {
  auto *found = thePlan->findTensor(role, name);
  if (!found)
    fail(ExitCode::BadInput, thePlan->path(), ": the plan has no ",
         nameOf(role), " '", printable(name), "'");
  return *found;
}

/// Calls `copy(deviceOffset, hostOffset, pitch, width, rows)` for the pieces
/// of the packed bytes [offset, offset + size): what is left of the first row,
/// whole rows, the beginning of the last one.
template <typename Copy>
static void forEachPiece(const Plan::Rows &layout, std::uint64_t offset,
                         std::uint64_t size, Copy &&copy) {
  std::uint64_t done = 0;
  while (done < size) {
    auto at = offset + done;
    auto row = at / layout.rowBytes, inRow = at % layout.rowBytes;
    auto width = std::min(layout.rowBytes - inRow, size - done);
    std::uint64_t rows = 1;
    if (inRow == 0 && width == layout.rowBytes)
      rows = (size - done) / layout.rowBytes;
    copy(row * layout.pitch + inRow, done, layout.pitch, width, rows);
    done += rows * width;
  }
}

void Session::writeTensor(fb::Role role, std::string_view name,
                          std::span<const std::byte> bytes) {
  auto size = thePlan->bytes(tensor(role, name).buffer());
  if (bytes.size() != size)
    fail(ExitCode::BadInput, nameOf(role), " '", printable(name), "' has ",
         size, " bytes in the plan, not ", bytes.size());
  writeTensorPart(role, name, bytes, 0);
}

void Session::checkPart(const fb::Tensor &tensor, std::uint64_t bytes,
                        std::uint64_t offset) const {
  auto size = thePlan->bytes(tensor.buffer());
  if (offset > size || bytes > size - offset)
    fail(ExitCode::BadInput, nameOf(tensor.role()), " '",
         printable(viewOf(tensor.name())), "' has ", size,
         " bytes in the plan, [", offset, ", +", bytes, ") is outside");
}

void Session::writeTensorPart(fb::Role role, std::string_view name,
                              std::span<const std::byte> bytes,
                              std::uint64_t offset) {
  auto &target = tensor(role, name);
  checkPart(target, bytes.size(), offset);
  auto *base = static_cast<char *>(range(target.buffer()).pointer);
  forEachPiece(thePlan->rows(target.buffer()), offset, bytes.size(),
               [&](auto at, auto done, auto pitch, auto width, auto rows) {
                 theDevice->copyRowsToDevice(base + at, pitch,
                                             bytes.data() + done, width, rows);
               });
}

void Session::enqueueTensorPart(const fb::Tensor &target,
                                std::span<const std::byte> bytes,
                                std::uint64_t offset) {
  checkPart(target, bytes.size(), offset);
  auto *base = static_cast<char *>(range(target.buffer()).pointer);
  forEachPiece(thePlan->rows(target.buffer()), offset, bytes.size(),
               [&](auto at, auto done, auto pitch, auto width, auto rows) {
                 theDevice->enqueueRowsToDevice(
                     base + at, pitch, bytes.data() + done, width, rows);
               });
}

void Session::readTensor(fb::Role role, std::string_view name,
                         std::span<std::byte> bytes) {
  auto buffer = tensor(role, name).buffer();
  auto size = thePlan->bytes(buffer);
  if (bytes.size() != size)
    fail(ExitCode::BadInput, nameOf(role), " '", printable(name), "' has ",
         size, " bytes in the plan, not ", bytes.size());
  auto *base = static_cast<char *>(range(buffer).pointer);
  forEachPiece(thePlan->rows(buffer), 0, bytes.size(),
               [&](auto at, auto done, auto pitch, auto width, auto rows) {
                 theDevice->copyRowsFromDevice(bytes.data() + done, base + at,
                                               pitch, width, rows);
               });
}

std::unique_ptr<Snapshot>
Session::snapshot(std::span<const fb::Tensor *const> tensors) {
  std::vector<DeviceRows> parts;
  for (const fb::Tensor *tensor : tensors) {
    auto *base = static_cast<const char *>(range(tensor->buffer()).pointer);
    forEachPiece(thePlan->rows(tensor->buffer()), 0,
                 thePlan->bytes(tensor->buffer()),
                 [&](auto at, auto, auto pitch, auto width, auto rows) {
                   DeviceRows part{base + at, pitch, width, rows};
                   if (rows == 1 || pitch == width)
                     part = {base + at, width * rows, width * rows, 1};
                   // Optimizer state lies in one piece: one copy is faster than
                   // many.
                   if (auto *last = parts.empty() ? nullptr : &parts.back();
                       last && last->rows == 1 && part.rows == 1 &&
                       static_cast<const char *>(last->pointer) + last->width ==
                           part.pointer)
                     last->pitch = last->width += part.width;
                   else
                     parts.push_back(part);
                 });
  }
  return theDevice->snapshot(parts);
}

} // namespace llamarun
