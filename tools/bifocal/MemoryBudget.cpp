// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal/MemoryBudget.h"

#include "runtime/core/ArtifactFormat.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

namespace bifocal::tools {

Result<int64_t> parseBudget(const std::string &text) {
  const Status bad(StatusCode::usage, fmt::format("--memory-budget expects a size such as 8GiB, but got `{}`", text));
  double value = 0;
  const char *end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || !std::isfinite(value))
    return bad;
  const std::string_view unit(rest, static_cast<size_t>(end - rest));
  constexpr double largest = 0x1p62;
  const std::pair<std::string_view, double> units[] = {
      {"", 1},     {"B", 1},    {"KiB", 1024.0}, {"MiB", 1048576.0}, {"GiB", 1073741824.0},
      {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}};
  for (const auto &[name, factor] : units)
    if (unit == name && value * factor >= 1)
      return static_cast<int64_t>(std::min(std::floor(value * factor), largest));
  return bad;
}

MemoryBudget::MemoryBudget(const Artifact &artifact, const Shape &shape, int64_t bytes)
    : artifact_(&artifact), entry_(artifact.plan().find("train_step")), shape_(shape), bytes_(bytes) {
  const std::array<int64_t, 4> slabs = artifact.manifest().slabBytes(true);
  slabs_ = std::accumulate(slabs.begin(), slabs.end(), int64_t{0});
  if (entry_)
    arena_ = arenaBytes(*entry_, shape);
}

Result<int64_t> MemoryBudget::largestBatch(const Shape &shape) const {
  const auto place = std::ranges::find(entry_->symbols, "B");
  return entry_->largestFit(static_cast<size_t>(place - entry_->symbols.begin()), *symbolValues(*entry_, shape),
                            bytes_ - kept());
}

std::optional<int64_t> MemoryBudget::mostTokens() const {
  const nlohmann::json &model = artifact_->manifest().model;
  std::vector<std::string> known = {"B", "S", "T", std::string(format::windowSymbol)};
  // A language model has no source.
  if (std::ranges::find(entry_->symbols, "S") == entry_->symbols.end())
    std::erase(known, "S");
  if (!model.contains("max_positions") || !model["max_positions"].is_number_integer() ||
      !std::ranges::is_permutation(entry_->symbols, known))
    return std::nullopt;
  for (size_t symbol = 0; symbol + 1 < known.size(); ++symbol)
    for (const Expression &size : entry_->classes)
      if (!size.growsWith(symbol))
        return std::nullopt;
  // tokens / length sentences fit for as long as they are at most the largest batch of that length. Sentences of more
  // than `tokens` are in no batch.
  int64_t tokens = INT64_MAX - 1;
  for (int64_t length = 1; length <= std::min(model["max_positions"].get<int64_t>(), tokens); ++length) {
    Shape shape = {{"B", tokens / length}, {"S", length}, {"T", length}};
    if (const std::optional<int64_t> arena = arenaBytes(*entry_, shape); arena && *arena <= bytes_ - kept())
      continue;
    const Result<int64_t> sentences = largestBatch(shape);
    if (!sentences.ok())
      return std::nullopt;
    // Less than tokens / length, so that nothing overflows.
    tokens = (*sentences + 1) * length - 1;
  }
  return tokens;
}

std::string MemoryBudget::describeLargest() const {
  if (!entry_ || std::ranges::find(entry_->symbols, "B") == entry_->symbols.end())
    return "";
  const Result<int64_t> batch = largestBatch(shape_);
  if (!batch.ok())
    return fmt::format("the largest batch that fits is not known: {}", batch.status().message());
  std::string lengths;
  int64_t longest = 1;
  for (const std::string &symbol : entry_->symbols)
    if (const auto found = shape_.find(symbol); symbol != "B" && found != shape_.end()) {
      lengths += fmt::format("{}{} = {}", lengths.empty() ? " with " : ", ", symbol, found->second);
      longest = std::max(longest, found->second);
    }
  if (*batch == INT64_MAX)
    return fmt::format("any batch fits{}", lengths);
  if (*batch == 0)
    return fmt::format("no batch fits{}", lengths);
  std::string text = fmt::format("the largest batch that fits{} is B = {}", lengths, *batch);
  if (int64_t tokens = 0; !lengths.empty() && !__builtin_mul_overflow(*batch, longest, &tokens))
    text += fmt::format(", {} tokens", tokens);
  if (const std::optional<int64_t> tokens = mostTokens(); tokens && *tokens > 0)
    text += fmt::format("; --max-tokens {} fits at any length up to {}", *tokens,
                        artifact_->manifest().model["max_positions"].get<int64_t>());
  return text;
}

std::string MemoryBudget::describePeak(const Places &places) const {
  if (!entry_ || arena_.value_or(0) == 0)
    return "";
  std::string text = tools::describePeak(*entry_, *peakMemory(*entry_, places.at(entry_->name), shape_));
  if (text.empty())
    return "";
  // The message ends without a line break.
  text.pop_back();
  return fmt::format("\n{} of {}\n{}", entry_->name, readableBytes(*arena_), text);
}

std::string MemoryBudget::describe() const {
  if (!entry_ || !arena_)
    return "";
  const std::string batch = describeLargest();
  return fmt::format("budget      {}, of which a training step takes {}: arena {}, {}\n{}", readableBytes(bytes_),
                     readableBytes(*arena_ + kept()), readableBytes(*arena_), describeKept(),
                     batch.empty() ? "" : fmt::format("            {}\n", batch));
}

int64_t MemoryBudget::kept() const {
  int64_t bytes = 0;
  return __builtin_add_overflow(slabs_, entry_->panelBytes, &bytes) ? INT64_MAX : bytes;
}

std::string MemoryBudget::describeKept() const {
  return fmt::format("parameters with gradients and moments {}{}", readableBytes(slabs_),
                     entry_->panelBytes > 0 ? ", packed weights " + readableBytes(entry_->panelBytes) : "");
}

Status MemoryBudget::check() const {
  if (!entry_)
    return {};
  if (arena_ && *arena_ <= bytes_ - kept())
    return {};
  const std::string batch = describeLargest();
  const std::string most = batch.empty() ? "" : "\n" + batch;
  if (!arena_ || *arena_ > INT64_MAX - kept())
    return {StatusCode::overBudget, fmt::format("a training step expects more than 2^63 bytes, but the budget is {}{}",
                                                readableBytes(bytes_), most)};
  std::string needed = readableBytes(*arena_ + kept()), allowed = readableBytes(bytes_);
  // A miss by little needs all digits.
  if (needed == allowed)
    needed = fmt::format("{} bytes", *arena_ + kept()), allowed = fmt::format("{} bytes", bytes_);
  return {StatusCode::overBudget, fmt::format("a training step expects {} (arena {}, {}), but the budget is {}{}",
                                              needed, readableBytes(*arena_), describeKept(), allowed, most)};
}

} // namespace bifocal::tools
