// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/Average.h"

#include "runtime/core/Safetensors.h"
#include "runtime/core/Weights.h"

#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <vector>

namespace bifocal {
namespace {

std::string specOf(const Safetensors &file) {
  const auto found = file.metadata().find(std::string(specHashKey));
  return found == file.metadata().end() ? "" : found->second;
}

std::string describe(const Safetensors::Entry &entry) {
  return fmt::format("{} [{}]", name(entry.type), fmt::join(entry.shape, ", "));
}

/// All that keeps `file` from being averaged with `first`.
void compare(const Safetensors &first, const Safetensors &file, const std::string &path,
             std::vector<std::string> &problems) {
  if (const std::string expected = specOf(first), got = specOf(file);
      !expected.empty() && !got.empty() && expected != got)
    problems.push_back(fmt::format("'{}' is of another model: expects spec {}, but got {}", path, expected, got));
  for (const auto &[name, expected] : first.tensors()) {
    const Safetensors::Entry *entry = isTrainingState(name) ? &expected : file.find(name);
    if (!entry)
      problems.push_back(fmt::format("'{}' lacks the tensor '{}'", path, name));
    else if (entry->type != expected.type || entry->shape != expected.shape)
      problems.push_back(
          fmt::format("'{}': tensor '{}' expects {}, but got {}", path, name, describe(expected), describe(*entry)));
  }
  for (const auto &[name, entry] : file.tensors())
    if (!isTrainingState(name) && !first.find(name))
      problems.push_back(fmt::format("'{}' has a tensor '{}' too many", path, name));
}

Status checkFiles(std::span<const Safetensors> files, std::span<const std::string> paths) {
  std::vector<std::string> problems;
  for (const auto &[name, entry] : files[0].tensors())
    if (!isTrainingState(name) && entry.type != ElementType::f32 && entry.type != ElementType::f16 &&
        entry.type != ElementType::bf16)
      problems.push_back(
          fmt::format("'{}': tensor '{}' expects f32, f16 or bf16, but got {}", paths[0], name, describe(entry)));
  for (size_t i = 1; i < files.size(); ++i)
    compare(files[0], files[i], paths[i], problems);
  if (problems.empty())
    return {};
  return {StatusCode::malformed,
          fmt::format("expects files with the tensors of '{}': {}", paths[0], fmt::join(problems, "; "))};
}

Status averageTensor(std::span<const Safetensors> files, std::span<const std::string> paths, const std::string &name,
                     std::vector<float> &mean) {
  std::vector<double> sums(mean.size());
  for (size_t i = 0; i < files.size(); ++i) {
    BIFOCAL_RETURN_IF_ERROR(files[i].readFloats(name, mean));
    for (size_t j = 0; j < sums.size(); ++j) {
      if (!std::isfinite(mean[j]))
        return {
            StatusCode::numericMismatch,
            fmt::format("'{}': tensor '{}' expects finite numbers, but element {} is {}", paths[i], name, j, mean[j])};
      sums[j] += mean[j];
    }
  }
  for (size_t j = 0; j < sums.size(); ++j)
    mean[j] = static_cast<float>(sums[j] / static_cast<double>(files.size()));
  return {};
}

} // namespace

Status averageWeights(std::span<const std::string> paths, const std::string &output) {
  if (paths.empty())
    return {StatusCode::usage, "expects at least one file to average, but got none"};
  std::vector<Safetensors> files;
  for (const std::string &path : paths) {
    Result<Safetensors> file = Safetensors::open(path);
    if (!file.ok())
      return file.status();
    if (const Status status = file->checkDigest(); !status.ok())
      return {status.code(), fmt::format("'{}': {}", path, status.message())};
    files.push_back(file.take());
  }
  BIFOCAL_RETURN_IF_ERROR(checkFiles(files, paths));
  std::vector<SafetensorsItem> items;
  std::vector<std::vector<float>> means;
  for (const auto &[name, entry] : files[0].tensors()) {
    if (isTrainingState(name))
      continue;
    means.emplace_back(static_cast<size_t>(entry.elements()));
    BIFOCAL_RETURN_IF_ERROR(averageTensor(files, paths, name, means.back()));
    items.push_back({name, ElementType::f32, entry.shape, means.back().data()});
  }
  if (items.empty())
    return {StatusCode::malformed, fmt::format("expects a file with parameters, but '{}' has none", paths[0])};
  std::map<std::string, std::string> metadata = {{"format", "pt"},
                                                 {"bifocal.averaged", fmt::format("{}", files.size())}};
  if (const std::string spec = specOf(files[0]); !spec.empty())
    metadata.emplace(specHashKey, spec);
  return writeSafetensors(output, items, metadata);
}

} // namespace bifocal
