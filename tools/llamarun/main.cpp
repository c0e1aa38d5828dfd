//===- main.cpp - llamarun -------------------------------------*- C++ -*-===//
//
// Chooses the subcommand and turns errors into exit codes (docs/cli.md).
//
//===----------------------------------------------------------------------===//
#include "runtime/support/Error.h"
#include "tools/llamarun/Command.h"
#include "tools/llamarun/Job.h"
#include "tools/reference/Reference.h"

#include <cstdio>
#include <iostream>
#include <new>

using namespace llamarun;

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
  addProbe(app, command);
  addBench(app, command);
  addProfile(app, command);
  addInspect(app, command);
  addReport(app, command);
  addReplay(app, command);
  addConvert(app, command);
  addBackup(app, command);
  addRestore(app, command);

  reference::Request request;
  reference::addCommands(app, request);

  auto end = [](ExitCode code, const char *why) {
    return endJob(Error(code, why));
  };
  try {
    app.parse(argc, argv);
    if (!request.kind.empty())
      command = [&] {
        std::cout << reference::answer(reference::describe(app), request.kind,
                                       "llamarun " LLAMAC_VERSION);
        return 0;
      };
    int code = command();
    if (std::fflush(stdout) || !std::cout.flush())
      fail(ExitCode::Storage, "cannot write to standard output");
    if (auto job = Job::current())
      job->leave();
    return code;
  } catch (const JobEnded &ended) {
    return ended.code;
  } catch (const CLI::ParseError &error) {
    if (error.get_exit_code() == 0) // --help, --version
      return app.exit(error);
    return end(ExitCode::Usage, error.what());
  } catch (const Error &error) {
    return endJob(error);
  } catch (const std::bad_alloc &) {
    return end(ExitCode::DoesNotFit, "out of memory");
  } catch (const std::exception &error) { // filesystem_error and others
    return end(ExitCode::BadInput, error.what());
  }
}
