// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Runs a kernel for NVIDIA GPUs on the emulator, under several schedules, and prints what was found.

#include "codegen/emulator/Emulator.h"
#include "runtime/core/File.h"
#include "tools/bifocal-emulate/Arguments.h"
#include "tools/bifocal/Message.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <fmt/ranges.h>

using namespace bifocal;
using namespace bifocal::emulator;
using tools::Argument;

namespace {
struct Options {
  std::string file, kernel, grid = "1", block = "1";
  std::vector<std::string> arguments, prints;
  uint32_t shared = 0;
  bool text = false;
};

struct Schedule {
  const char *name;
  LaunchOptions options;
};
} // namespace

/// A correct kernel is clean, and gives the same bits, under all of them.
static constexpr Schedule schedules[] = {
    {"forward, copies late", {Order::Forward, 1, CopyTime::Late, true}},
    {"backward, copies early", {Order::Backward, 1, CopyTime::Early, true}},
    {"shuffled, copies late", {Order::Shuffled, 7, CopyTime::Late, true}},
};

static Result<Dim3> parseDim3(const std::string &text, const char *option) {
  uint32_t values[3] = {1, 1, 1};
  const char *at = text.data(), *end = at + text.size();
  for (int axis = 0; axis < 3; ++axis) {
    auto [rest, error] = std::from_chars(at, end, values[axis]);
    if (error == std::errc() && rest == end)
      return Dim3{values[0], values[1], values[2]};
    if (error != std::errc() || *rest != ',')
      break;
    at = rest + 1;
  }
  return Status(StatusCode::usage, fmt::format("{} {}: expects one to three numbers, e.g. 16 or 4,2,1", option, text));
}

/// A run under one schedule.
class Run {
public:
  Run(const std::vector<Argument> &arguments, CheckedMemory &memory) : arguments(arguments), memory(memory) {}
  ~Run() {
    for (void *buffer : buffers)
      if (buffer)
        memory.release(buffer);
  }

  Status prepare(Launch &launch) {
    buffers.resize(arguments.size());
    launch.parameters.clear();
    for (size_t index = 0; index < arguments.size(); ++index) {
      const Argument &argument = arguments[index];
      if (!argument.isBuffer) {
        launch.parameters.push_back(const_cast<char *>(argument.content.data()));
        continue;
      }
      void *&buffer = buffers[index];
      buffer = memory.allocate(argument.bytes(), argument.name);
      if (!buffer)
        return Status(StatusCode::overBudget, fmt::format("no memory for {}", argument.name));
      if (!argument.content.empty()) {
        std::memcpy(buffer, argument.content.data(), argument.bytes());
        memory.define(buffer, argument.bytes());
      }
      launch.parameters.push_back(&buffer);
    }
    return {};
  }
  const char *content(size_t index) const { return static_cast<const char *>(buffers[index]); }

private:
  const std::vector<Argument> &arguments;
  CheckedMemory &memory;
  std::vector<void *> buffers;
};

static Result<Launch> launchOf(const Options &options, const Emulator &emulator) {
  Launch launch;
  std::vector<std::string> kernels = emulator.kernels();
  if (options.kernel.empty() && kernels.size() != 1)
    return Status(StatusCode::usage, fmt::format("{} has {} kernels, name one with --kernel: {}", options.file,
                                                 kernels.size(), fmt::join(kernels, ", ")));
  launch.kernel = options.kernel.empty() ? kernels.front() : options.kernel;
  launch.dynamicShared = options.shared;
  for (auto [text, option, dim] :
       {std::tuple(&options.grid, "--grid", &launch.grid), std::tuple(&options.block, "--block", &launch.block)}) {
    Result<Dim3> parsed = parseDim3(*text, option);
    if (!parsed.ok())
      return parsed.status();
    *dim = *parsed;
  }
  return launch;
}

/// Runs every schedule; the code that the program exits with.
static Result<int> emulate(const Options &options) {
  std::vector<Argument> arguments;
  for (const std::string &text : options.arguments) {
    Result<Argument> argument = tools::parseArgument(text);
    if (!argument.ok())
      return argument.status();
    arguments.push_back(argument.take());
  }
  Result<std::vector<std::byte>> file = readFile(options.file);
  if (!file.ok())
    return file.status();
  CheckedMemory memory;
  std::string_view ir(reinterpret_cast<const char *>(file->data()), file->size());
  Result<std::unique_ptr<Emulator>> emulator = Emulator::load(ir, options.file, memory);
  if (!emulator.ok())
    return emulator.status();
  if (options.text)
    fmt::print("{}", (*emulator)->text());
  Result<Launch> launch = launchOf(options, **emulator);
  if (!launch.ok())
    return launch.status();
  std::vector<std::string> first;
  size_t found = 0;
  for (const Schedule &schedule : schedules) {
    Run run(arguments, memory);
    BIFOCAL_RETURN_IF_ERROR(run.prepare(*launch));
    Result<std::vector<Finding>> findings = (*emulator)->launch(*launch, schedule.options);
    if (!findings.ok())
      return findings.status();
    found += findings->size();
    for (const Finding &finding : *findings)
      fmt::print("{}\n  schedule: {}\n", format(finding), schedule.name);
    std::vector<std::string> outputs;
    for (size_t index = 0; index < arguments.size(); ++index)
      if (arguments[index].isBuffer)
        outputs.emplace_back(run.content(index), arguments[index].bytes());
    if (first.empty())
      first = outputs;
    else if (first != outputs)
      return Status(StatusCode::nondeterminism, fmt::format("{}: the schedule '{}' gives other bits than the first",
                                                            launch->kernel, schedule.name));
    if (&schedule == &schedules[0])
      for (size_t index = 0; index < arguments.size(); ++index)
        if (std::find(options.prints.begin(), options.prints.end(), arguments[index].name) != options.prints.end())
          fmt::print("{}", tools::printElements(arguments[index], run.content(index)));
  }
  tools::say("{}: {} findings under {} schedules\n", launch->kernel, found, std::size(schedules));
  return found ? static_cast<int>(StatusCode::diagnostics) : 0;
}

int main(int argc, char **argv) {
  Options options;
  CLI::App app(
      "Runs a kernel for NVIDIA GPUs (LLVM IR for NVPTX) on the CPU, under several schedules, and prints what a "
      "GPU would only show as a wrong number: races, accesses out of bounds, divergent barriers, ...\n"
      "Exit codes: 0 clean, 1 findings, 2 usage, 3 cannot read, 4 no IR, 5 an intrinsic that is not known, 9 "
      "schedules give other bits.");
  app.add_option("file", options.file, "LLVM text or bitcode; - is stdin")->required();
  app.add_option("--kernel", options.kernel, "Name of the kernel; may be left out where there is one");
  app.add_option("--grid", options.grid, "Blocks: X, X,Y or X,Y,Z")->capture_default_str();
  app.add_option("--block", options.block, "Threads of a block: X, X,Y or X,Y,Z")->capture_default_str();
  app.add_option("--shared", options.shared, "Bytes of dynamic shared memory");
  app.add_option("--arg", options.arguments,
                 "A parameter, in order: name=type[count]:fill is a buffer (zeros, ones, iota, random, undefined), "
                 "name=type:value a scalar; types are f32, f64, bf16, i8, i32, i64");
  app.add_option("--print", options.prints, "Print the elements of a buffer after the first schedule");
  app.add_flag("--text", options.text, "Print the module; lines of findings count in it");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) ? static_cast<int>(StatusCode::usage) : 0;
  }
  Result<int> code = emulate(options);
  if (code.ok())
    return *code;
  tools::say("error: {}\n", code.status().message());
  return static_cast<int>(code.status().code());
}
