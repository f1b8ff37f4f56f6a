// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Compares what this build computes with tensors that published code computed. One line per file; the last line is
// `N passed, N failed`.

#include "tools/bifocal-golden/Cases.h"
#include "tools/bifocal-golden/CompiledModule.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fmt/format.h>

using namespace bifocal;
using namespace bifocal::golden;
namespace fs = std::filesystem;

namespace {
struct Totals {
  int passed = 0, failed = 0;
};
} // namespace

static Status compareJson(const fs::path &path, const std::string &name, Comparison &comparison) {
  Result<nlohmann::json> file = readJson(path.string());
  if (!file.ok())
    return file.status();
  if (name == "optim/schedules.json")
    return compareSchedules(*file, comparison);
  if (name == "optim/trajectories.json")
    return compareTrajectories(*file, comparison);
  if (name == "text/bleu.json")
    return compareBleu(*file, comparison);
  if (name == "lsra_macs.json")
    return compareCounts(*file, comparison);
  if (name == "lsra_init.json")
    return compareInitialValues(*file, comparison);
  return compareBatches(*file, comparison);
}

static Status compareTensors(const fs::path &root, const fs::path &path, const std::string &name,
                             Comparison &comparison) {
  Result<GoldenFile> file = readGoldenFile(path.string());
  if (!file.ok())
    return file.status();
  if (name.starts_with("module/"))
    return compareConvolution(*file, comparison);
  if (name.starts_with("diff_lm_"))
    return compareDiffModel(*file, comparison);
  if (name.starts_with("diff_"))
    return compareDiffAttention(*file, comparison);
  if (name.starts_with("layer/"))
    return compareLayer(*file, comparison);
  if (name.starts_with("span/seqattn"))
    return compareSpanAttention(*file, comparison);
  if (name.starts_with("lm/"))
    return compareLanguageModel(*file, comparison);
  if (name.starts_with("lsra_lm_"))
    return compareBranchLanguageModel(*file, comparison);
  if (name.starts_with("lsra_nmt_"))
    return compareBranchModel(*file, comparison);
  if (name.starts_with("lsra_beam_"))
    return compareBranchBeams(*file, comparison);
  if (name.starts_with("xl/") || name.starts_with("span/"))
    return compareRecurrentModel(*file, comparison);
  if (name.starts_with("lsra_"))
    return compareBranches(*file, comparison);
  bool updates = name.find(".adam_") != std::string::npos, beams = name.starts_with("beam/");
  if (!updates && !beams && !name.starts_with("model/"))
    return {StatusCode::unsupported, "expects the name of a family, or its folder in the folder of golden files"};
  if (!updates && !beams)
    return compareModel(*file, comparison);
  std::string baseName = file->hparams.value(beams ? "params_from" : "model", "");
  Result<GoldenFile> base = readGoldenFile((root / baseName).string());
  if (!base.ok())
    return base.status();
  return beams ? compareBeams(*file, *base, comparison) : compareUpdates(*file, *base, comparison);
}

static bool isCase(const std::string &name) {
  if (name.ends_with(".safetensors"))
    return true;
  return name.ends_with(".json") &&
         (name.starts_with("optim/") || name.starts_with("text/") || name.starts_with("lsra_"));
}

static void runFile(const fs::path &root, const fs::path &path, Totals &totals) {
  std::string name = fs::relative(path, root).generic_string();
  Comparison comparison;
  Status status =
      name.ends_with(".json") ? compareJson(path, name, comparison) : compareTensors(root, path, name, comparison);
  bool passed = status.ok() && comparison.checkedSomething() && comparison.passed();
  ++(passed ? totals.passed : totals.failed);
  std::string detail = !status.ok() ? status.message() : comparison.worst();
  fmt::print("{} {}: {}\n", passed ? "pass" : "fail", name, detail);
  std::fflush(stdout);
}

int main(int argc, char **argv) {
  CLI::App app{"Compares compiled models with golden files: tensors that published code computed."};
  std::string folder, device = "cpu", filter;
  app.add_option("folder", folder, "folder of golden files")->required()->check(CLI::ExistingDirectory);
  app.add_option("--device", device, "device to run on")
      ->check(CLI::IsMember({"cpu", "cuda", "cuda-emu"}))
      ->capture_default_str();
  app.add_option("--filter", filter, "only files whose path contains this text");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(StatusCode::usage);
  }
  CompiledModule::useDevice(device);
  std::vector<fs::path> paths;
  for (const fs::directory_entry &entry : fs::recursive_directory_iterator(folder)) {
    std::string name = fs::relative(entry.path(), folder).generic_string();
    if (entry.is_regular_file() && isCase(name) && name.find(filter) != std::string::npos)
      paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  Totals totals;
  for (const fs::path &path : paths)
    runFile(folder, path, totals);
  fmt::print("{} passed, {} failed\n", totals.passed, totals.failed);
  return totals.failed == 0 && totals.passed > 0 ? 0 : static_cast<int>(StatusCode::numericMismatch);
}
