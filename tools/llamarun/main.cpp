//===- main.cpp - llamarun -------------------------------------*- C++ -*-===//
//
// Chooses the subcommand and turns errors into exit codes (docs/cli.md).
//
//===----------------------------------------------------------------------===//
#include "runtime/support/Error.h"
#include "tools/llamarun/Command.h"

#include <cstdio>
#include <filesystem>
#include <iostream>
#include <new>
#include <string>

using namespace llamarun;

/// One line on standard error, whatever the message holds.
static int report(std::string message, ExitCode code) {
  // A table (what takes the memory) becomes a list.
  for (std::size_t at; (at = message.find('\n')) != message.npos;) {
    std::size_t end = message.find_first_not_of(" \n", at);
    bool title = at > 0 && message[at - 1] == ':';
    message.replace(at, (end == message.npos ? message.size() : end) - at,
                    title ? " " : "; ");
  }
  std::fprintf(stderr, "llamarun: error: %s\n", message.c_str());
  return static_cast<int>(code);
}

int main(int argc, char **argv) {
  CLI::App app{"Runs the plans that llamac makes: trains adapters of Llama "
               "models, evaluates and predicts.",
               "llamarun"};
  app.set_version_flag("--version", "llamarun " LLAMAC_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);
  Command command;
  addTrain(app, command);
  addEval(app, command);
  addPredict(app, command);
  addBench(app, command);
  addInspect(app, command);
  addReplay(app, command);

  try {
    app.parse(argc, argv);
    int code = command();
    if (std::fflush(stdout) || !std::cout.flush())
      return report("cannot write to standard output", ExitCode::Storage);
    return code;
  } catch (const CLI::ParseError &error) {
    if (error.get_exit_code() == 0) // --help, --version
      return app.exit(error);
    return report(error.what(), ExitCode::Usage);
  } catch (const Error &error) {
    return report(error.what(), error.code());
  } catch (const std::bad_alloc &) {
    return report("out of memory", ExitCode::DoesNotFit);
  } catch (const std::filesystem::filesystem_error &error) {
    return report(error.what(), ExitCode::BadInput);
  } catch (const std::exception &error) {
    return report(error.what(), ExitCode::BadInput);
  }
}
