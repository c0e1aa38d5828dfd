#include "runtime/data/TextFile.h"

#include "runtime/data/Utf8.h"
#include "runtime/support/Error.h"

#include <cerrno>
#include <cstring>

namespace llamarun {

static constexpr size_t kMaxLineBytes = size_t(16) << 20;
static constexpr size_t kChunkBytes = size_t(256) << 10;

static std::FILE *openForReading(const std::filesystem::path &path) {
  // fopen opens a folder and fails at the first read with a poorer message.
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    fail(ExitCode::BadInput, path.string(), ": is a folder, not a file");
  std::FILE *file = std::fopen(path.c_str(), "rb");
  if (!file)
    fail(ExitCode::BadInput, path.string(),
         ": cannot open: ", std::strerror(errno));
  return file;
}

std::string readWholeFile(const std::filesystem::path &path, size_t maxBytes) {
  std::unique_ptr<std::FILE, int (*)(std::FILE *)> file(openForReading(path),
                                                        std::fclose);
  std::string text;
  std::error_code unknown;
  auto size = std::filesystem::file_size(path, unknown);
  if (!unknown && size <= maxBytes)
    text.reserve(size);
  std::string chunk(kChunkBytes, '\0');
  while (size_t got = std::fread(chunk.data(), 1, chunk.size(), file.get())) {
    if (text.size() + got > maxBytes)
      fail(ExitCode::BadInput, path.string(), ": is larger than ", maxBytes,
           " bytes");
    text.append(chunk, 0, got);
  }
  if (std::ferror(file.get()))
    fail(ExitCode::BadInput, path.string(), ": cannot be read");
  return text;
}

LineReader::LineReader(const std::filesystem::path &path)
    : fileName(path.string()), file(openForReading(path)) {
  fill();
  if (buffer.starts_with("\xEF\xBB\xBF"))
    position = 3;
}

bool LineReader::fill() {
  buffer.erase(0, position);
  position = 0;
  size_t old = buffer.size();
  buffer.resize(old + kChunkBytes);
  size_t got = std::fread(buffer.data() + old, 1, kChunkBytes, file.get());
  buffer.resize(old + got);
  if (std::ferror(file.get()))
    fail(ExitCode::BadInput, fileName, ": cannot be read");
  return got != 0;
}

bool LineReader::next(std::string &line) {
  size_t searched = 0, end;
  while ((end = buffer.find('\n', position + searched)) == std::string::npos) {
    searched = buffer.size() - position;
    if (searched > kMaxLineBytes)
      fail(ExitCode::BadInput, fileName, ":", number + 1,
           ": line is longer than ", kMaxLineBytes, " bytes");
    if (!fill())
      break;
  }
  bool last = end == std::string::npos;
  if (last && position == buffer.size())
    return false;
  if (last)
    end = buffer.size();
  line.assign(buffer, position, end - position);
  position = last ? end : end + 1;
  ++number;
  if (!line.empty() && line.back() == '\r')
    line.pop_back();
  if (size_t at = line.find('\0'); at != std::string::npos)
    fail(ExitCode::BadInput, fileName, ":", number,
         ": contains a NUL byte (column ", at + 1, ")");
  if (size_t at = findInvalidUtf8(line); at != std::string::npos)
    fail(ExitCode::BadInput, fileName, ":", number,
         ": is not valid UTF-8 (column ", at + 1, ")");
  return true;
}

} // namespace llamarun
