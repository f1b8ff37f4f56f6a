// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/ArtifactFormat.h"
#include "runtime/core/Plan.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <map>

namespace bifocal {

/// "B * S" of "(B * S)", the form of a product.
static std::string withoutParentheses(const std::string &text) {
  std::string result;
  std::ranges::copy_if(text, std::back_inserter(result), [](char letter) { return letter != '(' && letter != ')'; });
  return text.find_first_of("+-,") == std::string::npos ? result : text;
}

/// Adds the multiply-adds of `steps` by the symbolic part of their sizes. A window's rows add up to `rows`.
static void countProducts(const EntryPlan &entry, const std::vector<PlanStep> &steps, const std::string &rows,
                          std::map<std::string, int64_t> &counts) {
  for (const PlanStep &step : steps) {
    if (const auto *slabs = std::get_if<SlabsStep>(&step.action))
      countProducts(entry, slabs->body, slabs->rows.str(entry.symbols), counts);
    if (const auto *launch = std::get_if<LaunchStep>(&step.action); launch && launch->multiplyAdds.constant() != 0) {
      const auto [factor, sizes] = launch->multiplyAdds.splitFactor();
      counts[withoutParentheses(sizes.str(entry.symbols))] += factor; // Plan::parse has looked that the sum fits.
    }
    const auto *gemm = std::get_if<GemmStep>(&step.action);
    if (!gemm)
      continue;
    int64_t factor = 1;
    std::vector<std::string> sizes;
    for (const Expression &extent : {gemm->m, gemm->n, gemm->k}) {
      if (const std::optional<int64_t> constant = extent.constant())
        factor *= *constant; // Plan::parse has looked that it fits.
      else
        sizes.push_back(extent.symbol() == entry.symbols.size() - 1 ? rows : extent.str(entry.symbols));
    }
    counts[withoutParentheses(fmt::format("{}", fmt::join(sizes, " * ")))] += factor;
  }
}

Result<int64_t> EntryPlan::arenaBytes(std::span<const int64_t> values, std::span<int64_t> bases,
                                      std::span<int64_t> units) const {
  int64_t total = 0;
  for (size_t c = 0; c < classes.size(); ++c) {
    const std::optional<int64_t> value = classes[c].evaluate(values);
    int64_t bytes = 0;
    if (!value || *value > INT64_MAX - format::classAlignment ||
        __builtin_mul_overflow(peak[c], format::roundUpToClass(*value), &bytes))
      return Status(StatusCode::overBudget,
                    fmt::format("entry '{}': the size {} is negative or overflows", name, classes[c].str(symbols)));
    if (!bases.empty()) {
      units[c] = format::roundUpToClass(*value);
      bases[c] = total;
    }
    if (__builtin_add_overflow(total, bytes, &total))
      return Status(StatusCode::overBudget, fmt::format("entry '{}': the arena overflows 64 bits", name));
  }
  return total;
}

Result<int64_t> EntryPlan::largestFit(size_t symbol, std::vector<int64_t> values, int64_t limit) const {
  for (size_t c = 0; c < classes.size(); ++c)
    if (!classes[c].growsWith(symbol))
      return Status(StatusCode::unsupported, fmt::format("entry '{}': expects sizes that grow with {}, but got {}",
                                                         name, symbols[symbol], classes[c].str(symbols)));
  const auto fits = [&](int64_t value) {
    values[symbol] = value;
    const Result<int64_t> bytes = arenaBytes(values);
    return bytes.ok() && *bytes <= limit;
  };
  if (fits(INT64_MAX))
    return INT64_MAX;
  // `last` fits, or is 0; `next` does not.
  int64_t last = 0, next = INT64_MAX;
  while (next - last > 1) {
    const int64_t middle = last + (next - last) / 2;
    (fits(middle) ? last : next) = middle;
  }
  return last;
}

std::string EntryPlan::peakFormula() const {
  std::string text;
  for (size_t i = 0; i < classes.size(); ++i) {
    if (peak[i] == 0)
      continue;
    text += text.empty() ? "" : " + ";
    if (auto constant = classes[i].constant())
      text += std::to_string(peak[i] * format::roundUpToClass(*constant));
    else
      text += fmt::format("{} * roundup16({})", peak[i], classes[i].str(symbols));
  }
  return text.empty() ? "0" : text;
}

std::string EntryPlan::multiplyAdds() const {
  std::map<std::string, int64_t> counts;
  countProducts(*this, steps, "", counts);
  std::string text;
  for (const auto &[sizes, factor] : counts)
    text += fmt::format("{}{}{}{}", text.empty() ? "" : " + ", factor, sizes.empty() ? "" : " * ", sizes);
  return text.empty() ? "0" : text;
}

const EntryPlan *Plan::find(std::string_view name) const {
  for (const EntryPlan &entry : entries)
    if (entry.name == name)
      return &entry;
  return nullptr;
}

} // namespace bifocal
