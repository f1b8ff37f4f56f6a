// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCAL_VERB_H
#define BIFOCAL_TOOLS_BIFOCAL_VERB_H

#include "runtime/core/Status.h"

namespace CLI {
class App;
}

namespace bifocal::tools {

/// Each verb of `bifocal` lives in a file of its own and adds one subcommand. Its callback writes data to stdout,
/// everything else to stderr, and stores its exit code in `exitCode`.
void addCompile(CLI::App &app, int &exitCode);
void addPrepare(CLI::App &app, int &exitCode);
void addShortList(CLI::App &app, int &exitCode);
void addTrain(CLI::App &app, int &exitCode);
void addGenerate(CLI::App &app, int &exitCode);
void addEvaluate(CLI::App &app, int &exitCode);
void addAverage(CLI::App &app, int &exitCode);
void addScore(CLI::App &app, int &exitCode);
void addRun(CLI::App &app, int &exitCode);
void addInspect(CLI::App &app, int &exitCode);
void addVisualize(CLI::App &app, int &exitCode);
void addDoctor(CLI::App &app, int &exitCode);
/// Added last: it prints what it finds in `app`.
void addCompletion(CLI::App &app, int &exitCode);

/// Compiles the spec at `path` into the bytes of an artifact for `device` (cpu, cuda or cuda-emu); only in builds with
/// the compiler.
Result<std::string> compileSpecFile(const std::string &path, const std::string &device);

/// Prints `error: <message>` to stderr unless ok, and returns the exit code of `status`.
int report(const Status &status);

} // namespace bifocal::tools
#endif
