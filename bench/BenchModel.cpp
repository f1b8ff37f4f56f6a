// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "bench/BenchModel.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

namespace bifocal {

Result<std::string> findArtifact(const std::string &model, const std::string &preset, const std::string &precision) {
  if (preset.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") != std::string::npos)
    return Status(StatusCode::usage, fmt::format("expects the name of a preset, but got '{}'", preset));
  if (precision.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") != std::string::npos)
    return Status(StatusCode::usage, fmt::format("expects the name of a precision, but got '{}'", precision));
  if (preset.empty() && !model.ends_with(".toml")) {
    if (precision.empty())
      return model;
    return Status(StatusCode::usage,
                  "--precision expects a spec or --preset, but an artifact has its precision already");
  }
  if (model.find('\'') != std::string::npos)
    return Status(StatusCode::usage, fmt::format("expects a file name without quotes, but got \"{}\"", model));
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string stem = preset.empty() ? std::filesystem::path(model).stem().string() : preset;
  const std::filesystem::path target =
      std::filesystem::temp_directory_path() /
      fmt::format("bench-{}{}.bifocal", stem, precision.empty() ? "" : "-" + precision);
  const std::string source = preset.empty() ? fmt::format("'{}'", model) : "--preset " + preset;
  const std::string command =
      fmt::format("'{}' compile {}{} -o '{}'", (self.parent_path() / "bifocal").string(), source,
                  precision.empty() ? "" : " --precision " + precision, target.string());
  if (const int code = std::system(command.c_str()); code != 0)
    return Status(StatusCode::cannotRead, fmt::format("\"{}\" ended with {}", command, WEXITSTATUS(code)));
  return target.string();
}

/// The special tokens and sizes of a model's vocabularies; an error for models of other kinds.
static Result<BenchVocabulary> vocabularyOf(const Artifact &artifact) {
  const nlohmann::json &model = artifact.manifest().model;
  const auto number = [&](const char *key, int64_t absent) {
    return model.contains(key) && model[key].is_number_integer() ? model[key].get<int64_t>() : absent;
  };
  BenchVocabulary vocabulary{static_cast<int32_t>(number("pad", 1)), static_cast<int32_t>(number("bos", 0)),
                             static_cast<int32_t>(number("eos", 2)), number("source_vocabulary", 0),
                             number("target_vocabulary", number("vocabulary", 0))};
  const bool translates = !model.contains("kind") || model["kind"] != "language_model";
  if ((translates && vocabulary.source < 5) || vocabulary.target < 5)
    return Status(StatusCode::unsupported,
                  "expects the artifact of a translation or language model with vocabularies of at least 5 words");
  return vocabulary;
}

Result<BenchModel> openModel(const std::string &path, const tools::DeviceOptions &device, bool training,
                             uint64_t seed) {
  Result<std::shared_ptr<const Artifact>> artifact = Artifact::open(path);
  if (!artifact.ok())
    return artifact.status();
  Result<BenchVocabulary> vocabulary = vocabularyOf(**artifact);
  if (!vocabulary.ok())
    return vocabulary.status();
  Result<std::unique_ptr<Device>> opened = device.open();
  if (!opened.ok())
    return opened.status();
  Result<std::unique_ptr<Session>> session = Session::create(*artifact, opened.take(), training);
  if (!session.ok())
    return session.status();
  (*session)->initialize(seed);
  return BenchModel{artifact.take(), *vocabulary, session.take()};
}

int64_t peakResidentBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0.0 : values[values.size() / 2];
}

} // namespace bifocal
