// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Nearest.h"
#include "tools/bifocal/Message.h"
#include "tools/bifocal/Verb.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <iostream>
#include <new>
#include <string_view>
#include <system_error>
#include <vector>

using namespace bifocal;

namespace {

std::vector<std::string> verbsOf(const CLI::App &app) {
  std::vector<std::string> verbs;
  for (const CLI::App *verb : app.get_subcommands([](const CLI::App *) { return true; }))
    verbs.push_back(verb->get_name());
  return verbs;
}

/// CLI11 would only say that a verb is missing.
Status checkVerb(const std::vector<std::string> &verbs, int argc, char **argv) {
  constexpr std::string_view flags[] = {"-h", "--help", "--version"};
  if (argc > 1 && (std::ranges::find(flags, std::string_view(argv[1])) != std::end(flags) ||
                   std::ranges::find(verbs, argv[1]) != verbs.end()))
    return {};
  std::string message = fmt::format("expects one of the verbs {}", fmt::join(verbs, ", "));
  if (argc > 1) {
    message += fmt::format(", but got `{}`", argv[1]);
    const std::vector<std::string_view> names(verbs.begin(), verbs.end());
    if (const std::string_view guess = nearest(argv[1], names); !guess.empty())
      message += fmt::format("; did you mean `{}`?", guess);
  }
  return {StatusCode::usage, message + " (see bifocal --help)"};
}

/// Messages quote what files and command lines contain: nothing of that may drive a terminal.
std::string printable(std::string_view message) {
  std::string text;
  for (const char c : message) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < ' ' && c != '\n' && c != '\t') || byte == 0x7f)
      text += fmt::format("\\x{:02x}", byte);
    else
      text += c;
  }
  return text;
}

/// What only shows when the last bytes leave, such as a full disk.
Status outputError() { return {StatusCode::cannotRead, "cannot write all of the output to stdout"}; }

Status flushOutput() { return std::fflush(stdout) != 0 || std::ferror(stdout) != 0 ? outputError() : Status(); }

/// What `StatusCode` means to a caller.
constexpr const char *exitCodes =
    "Exit codes: 0 done, 1 the input has errors, 2 a wrong argument, 3 a file cannot be read or written, 4 a file's "
    "content breaks its format, 5 this build or machine cannot do it, 6 over a budget of memory or size, 7 no such "
    "device, 8 numbers differ from what was expected, 9 two equal runs differ, 70 a bug in Bifocal";

} // namespace

int tools::report(const Status &status) {
  // Problems of a spec come fully rendered, several at a time.
  if (status.message().ends_with('\n'))
    tools::say("{}", printable(status.message()));
  else if (!status.ok())
    tools::say("error: {}\n", printable(status.message()));
  return static_cast<int>(status.code());
}

int main(int argc, char **argv) try {
  CLI::App app{"Bifocal compiles, trains and runs sequence models that see near (convolution) and far (attention)."};
  app.set_version_flag("--version", "bifocal " BIFOCAL_VERSION);
  app.require_subcommand(1);
  app.footer(exitCodes);
  int exitCode = 0;
#if BIFOCAL_HAS_COMPILER
  tools::addCompile(app, exitCode);
#endif
  tools::addPrepare(app, exitCode);
  tools::addShortList(app, exitCode);
  tools::addTrain(app, exitCode);
  tools::addGenerate(app, exitCode);
  tools::addEvaluate(app, exitCode);
  tools::addAverage(app, exitCode);
  tools::addScore(app, exitCode);
  tools::addRun(app, exitCode);
  tools::addInspect(app, exitCode);
  tools::addVisualize(app, exitCode);
  tools::addDoctor(app, exitCode);
  tools::addCompletion(app, exitCode);
  if (const Status status = checkVerb(verbsOf(app), argc, argv); !status.ok())
    return tools::report(status);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    if (error.get_exit_code() == 0) {
      // --help and --version
      app.exit(error);
      std::cout.flush();
      return std::cout ? 0 : tools::report(outputError());
    }
    return tools::report({StatusCode::usage, fmt::format("{} (see bifocal {} --help)", error.what(), argv[1])});
  }
  return exitCode != 0 ? exitCode : tools::report(flushOutput());
} catch (const std::bad_alloc &) {
  return tools::report({StatusCode::overBudget, "the memory of this machine does not suffice"});
} catch (const std::system_error &error) {
  return tools::report({StatusCode::cannotRead, error.what()});
} catch (const std::exception &error) {
  return tools::report({StatusCode::internal, fmt::format("internal error: {}", error.what())});
}
