//===- Import.cpp - llamac import -----------------------------------------===//
#include "compiler/frontend/ImportModel.h"
#include "tools/llamac/Commands.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace llamac;

int llamac::report(llvm::Error error, int code) {
  llvm::errs() << "llamac: error: " << llvm::toString(std::move(error)) << "\n";
  return code;
}

bool llamac::isPlainFile(llvm::StringRef path) {
  if (path.empty() || path == "-" || path == "/dev/stdout")
    return false;
  llvm::sys::fs::file_status status;
  return llvm::sys::fs::status(path, status) ||
         llvm::sys::fs::is_regular_file(status);
}

/// To where a rename would put a file in place of a pipe or device.
static llvm::Error writeThrough(llvm::StringRef path, llvm::StringRef bytes) {
  std::error_code error;
  llvm::raw_fd_ostream out(path == "/dev/stdout" ? "-" : path, error);
  if (error)
    return llvm::errorCodeToError(error);
  out << bytes;
  out.close();
  error = out.error();
  out.clear_error();
  return llvm::errorCodeToError(error);
}

int llamac::writeFile(llvm::StringRef path, llvm::StringRef bytes) {
  auto write = [&]() -> llvm::Error {
    if (!isPlainFile(path))
      return writeThrough(path, bytes);
    return llvm::writeToOutput(path, [&](llvm::raw_ostream &out) {
      out << bytes;
      return llvm::Error::success();
    });
  };
  if (llvm::Error error = write())
    return report(llvm::createStringError("cannot write " + path + ": " +
                                          llvm::toString(std::move(error))),
                  kStorage);
  return kOk;
}

int ImportCommand::run() const {
  llvm::SmallVector<std::string> remarks;
  // models/llama3-8b.mlir is the model "llama3-8b".
  std::string model = !name.empty() || !isPlainFile(output)
                          ? name
                          : llvm::sys::path::stem(output).str();
  auto text = importHfDirectory(directory, model, &remarks);
  for (const std::string &remark : remarks)
    llvm::errs() << "llamac: " << remark << "\n";
  if (!text)
    return report(text.takeError(), kBadInput);
  return writeFile(output, *text);
}
