// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/KeptWeights.h"

#include "runtime/core/Safetensors.h"
#include "runtime/train/Checkpoint.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <set>
#include <string_view>
#include <tuple>

namespace bifocal {
namespace {

constexpr std::string_view prefix = "update-", suffix = ".safetensors", lossKey = "bifocal.validation_loss";

/// A whole text as a number.
template <typename T> std::optional<T> parse(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

std::optional<int64_t> updateOf(std::string_view name) {
  if (!name.starts_with(prefix) || !name.ends_with(suffix) || name.size() < prefix.size() + suffix.size())
    return std::nullopt;
  return parse<int64_t>(name.substr(prefix.size(), name.size() - prefix.size() - suffix.size()));
}

Status removeFile(const std::string &path) {
  std::error_code error;
  std::filesystem::remove(path, error);
  return error ? Status(StatusCode::cannotRead, fmt::format("cannot remove '{}': {}", path, error.message()))
               : Status();
}

/// Paths by update, without a look into the files.
Result<std::vector<KeptWeights>> findFiles(const std::string &folder) {
  std::vector<KeptWeights> files;
  std::error_code error;
  for (const auto &entry : std::filesystem::directory_iterator(folder, error))
    if (const std::optional<int64_t> update = updateOf(entry.path().filename().string()))
      files.push_back({folder + "/" + entry.path().filename().string(), *update, {}});
  if (error)
    return Status(StatusCode::cannotRead, fmt::format("cannot list '{}': {}", folder, error.message()));
  std::ranges::sort(files, {}, &KeptWeights::update);
  return files;
}

} // namespace

Status writeKeptWeights(const std::string &folder, const Manifest &manifest, Session &session, int64_t update,
                        std::optional<double> validationLoss) {
  std::map<std::string, std::string> metadata;
  if (validationLoss)
    metadata.emplace(lossKey, fmt::format("{}", *validationLoss));
  return writeWeights(fmt::format("{}/{}{:08}{}", folder, prefix, update, suffix), manifest, session, metadata);
}

Result<std::vector<KeptWeights>> listKeptWeights(const std::string &folder) {
  Result<std::vector<KeptWeights>> files = findFiles(folder);
  if (!files.ok())
    return files.status();
  for (KeptWeights &file : *files) {
    const Result<Safetensors> opened = Safetensors::open(file.path);
    if (!opened.ok())
      return opened.status();
    if (const auto loss = opened->metadata().find(std::string(lossKey)); loss != opened->metadata().end()) {
      file.validationLoss = parse<double>(loss->second);
      if (!file.validationLoss)
        return Status(StatusCode::malformed,
                      fmt::format("'{}': {} expects a number, but got '{}'", file.path, lossKey, loss->second));
    }
  }
  return files;
}

bool hasKeptWeights(const std::string &folder) {
  const Result<std::vector<KeptWeights>> files = findFiles(folder);
  return files.ok() && !files->empty();
}

std::vector<KeptWeights> lastOf(const std::vector<KeptWeights> &kept, int64_t count) {
  return {kept.end() - std::min<int64_t>(count, static_cast<int64_t>(kept.size())), kept.end()};
}

std::vector<KeptWeights> bestOf(const std::vector<KeptWeights> &kept, int64_t count) {
  std::vector<KeptWeights> best;
  std::ranges::copy_if(kept, std::back_inserter(best), [](auto &file) { return file.validationLoss.has_value(); });
  std::ranges::sort(best, {}, [](auto &file) { return std::tuple(*file.validationLoss, file.update); });
  best.resize(static_cast<size_t>(std::min<int64_t>(count, static_cast<int64_t>(best.size()))));
  std::ranges::sort(best, {}, &KeptWeights::update);
  return best;
}

Status pruneKeptWeights(const std::string &folder, int64_t keepLast, int64_t keepBest) {
  const Result<std::vector<KeptWeights>> kept = listKeptWeights(folder);
  if (!kept.ok())
    return kept.status();
  std::set<int64_t> wanted;
  for (const auto &list : {lastOf(*kept, keepLast), bestOf(*kept, keepBest)})
    for (const KeptWeights &file : list)
      wanted.insert(file.update);
  for (const KeptWeights &file : *kept)
    if (!wanted.contains(file.update))
      BIFOCAL_RETURN_IF_ERROR(removeFile(file.path));
  return {};
}

Status removeKeptWeightsAfter(const std::string &folder, int64_t update) {
  const Result<std::vector<KeptWeights>> files = findFiles(folder);
  if (!files.ok())
    return files.status();
  for (const KeptWeights &file : *files)
    if (file.update > update)
      BIFOCAL_RETURN_IF_ERROR(removeFile(file.path));
  return {};
}

} // namespace bifocal
