// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal/Verb.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

using namespace bifocal;

int tools::report(const Status &status) {
  // Problems of a spec come fully rendered, several at a time.
  if (status.message().ends_with('\n'))
    fmt::print(stderr, "{}", status.message());
  else if (!status.ok())
    fmt::print(stderr, "error: {}\n", status.message());
  return static_cast<int>(status.code());
}

int main(int argc, char **argv) {
  CLI::App app{"Bifocal compiles, trains and runs sequence models that see near (convolution) and far (attention)."};
  app.set_version_flag("--version", "bifocal " BIFOCAL_VERSION);
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::simple);
  int exitCode = 0;
#if BIFOCAL_HAS_COMPILER
  tools::addCompile(app, exitCode);
#endif
  tools::addPrepare(app, exitCode);
  tools::addTrain(app, exitCode);
  tools::addGenerate(app, exitCode);
  tools::addEvaluate(app, exitCode);
  tools::addScore(app, exitCode);
  tools::addRun(app, exitCode);
  tools::addInspect(app, exitCode);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(StatusCode::usage);
  }
  return exitCode;
}
