//===- Draw.cpp - llamac --emit=dot|svg
//------------------------------------===//
#include "compiler/draw/DrawProgram.h"
#include "tools/llamac/Commands.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

#include <optional>

using namespace llamac;

/// What Graphviz makes of a graph.
static llvm::Expected<std::string> layOut(const std::string &dot) {
  auto program = llvm::sys::findProgramByName("dot");
  if (!program)
    return llvm::createStringError("--emit=svg needs Graphviz's program 'dot' "
                                   "(Debian's package graphviz), "
                                   "which is not in PATH; --emit=dot does not");
  llvm::SmallString<128> in, out;
  if (auto error = llvm::sys::fs::createTemporaryFile("llamac", "dot", in))
    return llvm::errorCodeToError(error);
  llvm::scope_exit removeIn([&] { llvm::sys::fs::remove(in); });
  if (auto error = llvm::sys::fs::createTemporaryFile("llamac", "svg", out))
    return llvm::errorCodeToError(error);
  llvm::scope_exit removeOut([&] { llvm::sys::fs::remove(out); });
  if (auto error = llvm::writeToOutput(in, [&](llvm::raw_ostream &stream) {
        stream << dot;
        return llvm::Error::success();
      }))
    return error;
  std::string message;
  int code = llvm::sys::ExecuteAndWait(
      *program, {"dot", "-Tsvg", "-o", out.str(), in.str()}, std::nullopt, {},
      0, 0, &message);
  if (code != 0)
    return llvm::createStringError("Graphviz's dot ended with code " +
                                   std::to_string(code) +
                                   (message.empty() ? "" : ": " + message));
  auto file = llvm::MemoryBuffer::getFile(out);
  if (!file)
    return llvm::errorCodeToError(file.getError());
  return (*file)->getBuffer().str();
}

int CompileCommand::draw(mlir::ModuleOp module) const {
  auto drawing = drawProgram(module, emitProgram);
  if (!drawing)
    return llamac::report(drawing.takeError(), kUsage);
  std::string dot = toDot(*drawing);
  if (emit == "dot")
    return writeFile(output, dot);
  auto svg = layOut(dot);
  if (!svg)
    return llamac::report(svg.takeError(), kUsage);
  return writeFile(output, *svg);
}
