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

int llamac::writeFile(llvm::StringRef path, llvm::StringRef bytes) {
  if (llvm::Error error =
          llvm::writeToOutput(path, [&](llvm::raw_ostream &out) {
            out << bytes;
            return llvm::Error::success();
          }))
    return report(llvm::createStringError("cannot write " + path + ": " +
                                          llvm::toString(std::move(error))),
                  kStorage);
  return kOk;
}

int ImportCommand::run() const {
  llvm::SmallVector<std::string> remarks;
  // models/llama3-8b.mlir is the model "llama3-8b".
  std::string model = !name.empty() || output == "-"
                          ? name
                          : llvm::sys::path::stem(output).str();
  auto text = importHfDirectory(directory, model, &remarks);
  for (const std::string &remark : remarks)
    llvm::errs() << "llamac: " << remark << "\n";
  if (!text)
    return report(text.takeError(), kBadInput);
  return writeFile(output, *text);
}
