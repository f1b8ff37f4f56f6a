// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal-kernel/Resources.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace bifocal::tools {

std::string describeResources(const std::vector<KernelResources> &kernels) {
  size_t width = std::string("kernel").size();
  for (const KernelResources &kernel : kernels)
    width = std::max(width, kernel.name.size());
  std::string text =
      fmt::format("{:<{}}  registers  shared B  stack B  spilled B  instructions  mma  ldmatrix  cp.async  calls\n",
                  "kernel", width);
  for (const KernelResources &kernel : kernels)
    text +=
        fmt::format("{:<{}}  {:>9}  {:>8}  {:>7}  {:>9}  {:>12}  {:>3}  {:>8}  {:>8}  {:>5}\n", kernel.name, width,
                    kernel.registers, kernel.sharedBytes, kernel.stackBytes, kernel.spillStores + kernel.spillLoads,
                    kernel.sass.total, kernel.sass.mma, kernel.sass.ldmatrix, kernel.sass.cpAsync, kernel.sass.calls);
  text += fmt::format("\n{:<{}}  loads and stores by bits\n", "kernel", width);
  for (const KernelResources &kernel : kernels) {
    text += fmt::format("{:<{}} ", kernel.name, width);
    for (const auto &[access, count] : kernel.sass.accesses)
      text += fmt::format(" {}={}", access, count);
    text += kernel.sass.accesses.empty() ? " none\n" : "\n";
  }
  return text;
}

std::string resourcesToJson(const std::vector<KernelResources> &kernels, const CudaTarget &target) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const KernelResources &kernel : kernels)
    list.push_back({{"name", kernel.name},
                    {"registers", kernel.registers},
                    {"shared_bytes", kernel.sharedBytes},
                    {"stack_bytes", kernel.stackBytes},
                    {"spill_store_bytes", kernel.spillStores},
                    {"spill_load_bytes", kernel.spillLoads},
                    {"instructions", kernel.sass.total},
                    {"mma", kernel.sass.mma},
                    {"ldmatrix", kernel.sass.ldmatrix},
                    {"cp_async", kernel.sass.cpAsync},
                    {"calls", kernel.sass.calls},
                    {"accesses", kernel.sass.accesses}});
  const nlohmann::ordered_json all = {{"chip", target.chip.str()}, {"kernels", list}};
  return all.dump(2) + "\n";
}

} // namespace bifocal::tools
