// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Roofline.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace bifocal {
namespace {

/// NVIDIA's data sheets: A100 (2021), H100 (2023), H200 (2024).
constexpr std::array<Card, 3> knownCards = {
    {{"a100", 2.039e12, 19.5e12, 312e12}, {"h100", 3.35e12, 67e12, 989e12}, {"h200", 4.8e12, 67e12, 989e12}}};

class CostReader {
public:
  CostReader(const EntryPlan &entry, std::span<const int64_t> symbols)
      : entry_(entry), symbols_(symbols.begin(), symbols.end()), units_(entry.classes.size()),
        bases_(entry.classes.size()) {}

  Result<std::vector<StepCost>> read() {
    const Result<int64_t> arena = entry_.arenaBytes(symbols_, bases_, units_);
    if (!arena.ok())
      return Status(StatusCode::usage, arena.status().message());
    BIFOCAL_RETURN_IF_ERROR(addAll(entry_.steps));
    return std::move(costs_);
  }

private:
  Status addAll(const std::vector<PlanStep> &steps) {
    for (const PlanStep &step : steps) {
      if (const auto *slabs = std::get_if<SlabsStep>(&step.action)) {
        BIFOCAL_RETURN_IF_ERROR(addWindows(*slabs));
        continue;
      }
      StepCost cost;
      cost.step = &step;
      BIFOCAL_RETURN_IF_ERROR(measure(step, cost));
      costs_.push_back(cost);
    }
    return {};
  }

  /// All windows as if they were full, the last one as far as it is.
  Status addWindows(const SlabsStep &slabs) {
    int64_t rows = 0;
    BIFOCAL_RETURN_IF_ERROR(evaluate(slabs.rows, rows));
    if (rows == 0)
      return {};
    const size_t first = costs_.size();
    const int64_t by = std::min(slabs.by, rows);
    symbols_.back() = by;
    const Status status = addAll(slabs.body);
    symbols_.back() = 0;
    const double windows = static_cast<double>(rows) / static_cast<double>(by);
    for (size_t i = first; i < costs_.size(); ++i) {
      costs_[i].flops *= windows;
      costs_[i].bytes *= windows;
      costs_[i].launches *= (rows + by - 1) / by;
    }
    return status;
  }

  Status measure(const PlanStep &step, StepCost &cost) {
    if (const auto *launch = std::get_if<LaunchStep>(&step.action)) {
      int64_t multiplyAdds = 0;
      BIFOCAL_RETURN_IF_ERROR(evaluate(launch->multiplyAdds, multiplyAdds));
      cost.flops = 2.0 * static_cast<double>(multiplyAdds);
      cost.launches = static_cast<int64_t>(launch->stages.size());
      // Sums of products of convolutions and attention, whose kernels run on tensor cores where inputs are narrow.
      if (!launch->buffers.empty() && multiplyAdds > 0)
        cost.narrow = byteSize(entry_.buffers[launch->buffers.front().id].type) == 2;
      return addBytes(launch->buffers, cost);
    }
    cost.launches = 1;
    if (const auto *gemm = std::get_if<GemmStep>(&step.action))
      return measureProduct(*gemm, cost);
    if (const auto *fill = std::get_if<FillStep>(&step.action))
      return addBytes({fill->buffer}, cost);
    const auto &copy = std::get<CopyStep>(step.action);
    return addBytes({copy.from, copy.to}, cost);
  }

  Status measureProduct(const GemmStep &gemm, StepCost &cost) {
    int64_t m = 0, n = 0, k = 0;
    BIFOCAL_RETURN_IF_ERROR(evaluate(gemm.m, m));
    BIFOCAL_RETURN_IF_ERROR(evaluate(gemm.n, n));
    BIFOCAL_RETURN_IF_ERROR(evaluate(gemm.k, k));
    const auto size = [&](int64_t rows, int64_t columns, const BufferRef &ref) {
      const ElementType type = entry_.buffers[ref.id].type;
      cost.narrow |= type != ElementType::f32;
      return static_cast<double>(rows) * static_cast<double>(columns) * static_cast<double>(byteSize(type));
    };
    cost.flops = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
    cost.bytes = size(m, k, gemm.a) + size(k, n, gemm.b) + (gemm.accumulate ? 2 : 1) * size(m, n, gemm.c);
    if (!gemm.epilogue)
      return {};
    ++cost.launches;
    return addBytes(gemm.epilogue->buffers, cost);
  }

  Status addBytes(const std::vector<BufferRef> &buffers, StepCost &cost) {
    std::vector<size_t> seen;
    for (const BufferRef &ref : buffers) {
      if (std::ranges::find(seen, ref.id) != seen.end())
        continue;
      seen.push_back(ref.id);
      double bytes = static_cast<double>(ref.rowBytes) * static_cast<double>(symbols_.back());
      if (ref.rowBytes == 0)
        BIFOCAL_RETURN_IF_ERROR(bytesOf(entry_.buffers[ref.id], bytes));
      if (const PlanBuffer &buffer = entry_.buffers[ref.id]; buffer.row != 0)
        bytes *= static_cast<double>(buffer.width) / static_cast<double>(buffer.row);
      cost.bytes += bytes;
    }
    return {};
  }

  Status bytesOf(const PlanBuffer &buffer, double &bytes) {
    bytes = static_cast<double>(buffer.size);
    if (buffer.region == Region::arena)
      bytes *= static_cast<double>(units_[buffer.index]);
    if (buffer.region == Region::state)
      bytes = 0;
    if (buffer.region != Region::input && buffer.region != Region::output)
      return {};
    const PlanArgument &argument = (buffer.region == Region::input ? entry_.inputs : entry_.outputs)[buffer.index];
    bytes = static_cast<double>(byteSize(argument.type));
    for (const Expression &dim : argument.dims) {
      int64_t extent = 0;
      BIFOCAL_RETURN_IF_ERROR(evaluate(dim, extent));
      bytes *= static_cast<double>(extent);
    }
    return {};
  }

  Status evaluate(const Expression &expression, int64_t &value) const {
    const std::optional<int64_t> result = expression.evaluate(symbols_);
    if (!result)
      return {StatusCode::usage, fmt::format("entry '{}': the size {} is negative or overflows", entry_.name,
                                             expression.str(entry_.symbols))};
    value = *result;
    return {};
  }

  const EntryPlan &entry_;
  std::vector<int64_t> symbols_, units_, bases_;
  std::vector<StepCost> costs_;
};

} // namespace

std::span<const Card> cards() { return knownCards; }

const Card *findCard(std::string_view name) {
  const auto *found = std::ranges::find(knownCards, name, &Card::name);
  return found == knownCards.end() ? nullptr : found;
}

double StepCost::seconds(const Card &card) const {
  constexpr double launch = 1e-6;
  return std::max(flops / (narrow ? card.flops16 : card.flops32), bytes / card.bytesPerSecond) +
         launch * static_cast<double>(launches);
}

Result<std::vector<StepCost>> stepCosts(const EntryPlan &entry, std::span<const int64_t> symbols) {
  return CostReader(entry, symbols).read();
}

} // namespace bifocal
