// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/PlanDevice.h"

namespace bifocal {

void PlanDevice::profile(bool on) {
  profile_.on = on;
  if (!on)
    return;
  profile_.flops = 0;
  for (FamilyTime &family : profile_.families)
    family.seconds = 0, family.calls = 0;
}

std::vector<FamilyTime> PlanDevice::profileResult() const {
  std::vector<FamilyTime> result;
  for (const FamilyTime &family : profile_.families)
    if (family.calls > 0)
      result.push_back(family);
  return result;
}

Status PlanDevice::prepare(const Artifact &artifact, Backend &backend) {
  for (const EntryPlan &plan : artifact.plan().entries) {
    Result<std::unique_ptr<Executor>> executor = Executor::create(plan, backend, profile_);
    if (!executor.ok())
      return executor.status();
    executors_.push_back(executor.take());
  }
  return {};
}

} // namespace bifocal
