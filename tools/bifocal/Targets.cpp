// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal/Targets.h"

#include "codegen/cuda/CudaTarget.h"
#include "runtime/core/ArtifactFormat.h"
#include "runtime/cpu/CpuDevice.h"

#include <algorithm>
#include <fmt/format.h>
#include <sstream>

namespace bifocal::tools {

/// All that --target takes but the last one.
static constexpr std::string_view mostTargets =
    "cpu, cpu:native, cpu:x86-64-v3, cpu:x86-64-v4, cpu:x86-64-v4-dot, cuda:sm_80, cuda:sm_90";

/// `part` of --target: adds what it names to `phases`.
static Status readTargetPart(const std::string &part, bool &allLevels, PhaseOptions &phases) {
  const auto addTo = [](std::vector<std::string> &list, const std::string &name) {
    if (std::ranges::find(list, name) == list.end())
      list.push_back(name);
  };
  const size_t colon = part.find(':');
  const std::string device = part.substr(0, colon), machine = colon == std::string::npos ? "" : part.substr(colon + 1);
  if (part == "cpu" || (device == "cpu" && !machine.empty())) {
    phases.cpu = true;
    allLevels |= machine.empty();
    if (machine == "native")
      addTo(phases.cpuLevels, nativeLevel());
    else if (std::ranges::find(format::hostLevels, machine) != format::hostLevels.end())
      addTo(phases.cpuLevels, machine);
    else if (!machine.empty())
      return {
          StatusCode::unsupported,
          fmt::format("expects the CPU level native, x86-64-v3, x86-64-v4 or x86-64-v4-dot, but got `{}`", machine)};
    return {};
  }
  if (device == "cuda" && !machine.empty()) {
    phases.cuda = true;
    if (!CudaTarget::find(machine))
      return {StatusCode::unsupported, fmt::format("expects the architecture sm_80 or sm_90, but got `{}`", machine)};
    addTo(phases.cudaArchitectures, machine);
    return {};
  }
  if (part == "cuda-emu") {
    phases.cuda = true;
    return {};
  }
  return {StatusCode::unsupported,
          fmt::format("the target `{}` is not supported: allowed are {} and cuda-emu", part, mostTargets)};
}

Status readTargets(const std::string &targets, PhaseOptions &phases) {
  phases.cpu = false;
  bool allLevels = false;
  std::string before;
  std::stringstream stream(targets);
  for (std::string part; std::getline(stream, part, ',');) {
    // After cuda:sm_90 the device need not be named again: cuda:sm_90,sm_80.
    if (part.starts_with("sm_") && before.starts_with("cuda:"))
      part = "cuda:" + part;
    BIFOCAL_RETURN_IF_ERROR(readTargetPart(part, allLevels, phases));
    before = part;
  }
  if (!phases.cpu && !phases.cuda)
    return {StatusCode::usage, fmt::format("--target expects {} or cuda-emu, but got none", mostTargets)};
  // No list stands for all levels.
  if (allLevels)
    phases.cpuLevels.clear();
  return {};
}

} // namespace bifocal::tools
