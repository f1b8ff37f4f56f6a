// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_PLANDEVICE_H
#define BIFOCAL_RUNTIME_CORE_PLANDEVICE_H

#include "runtime/core/Executor.h"

namespace bifocal {

/// What devices have in common: an executor for each entry point, over a backend, and a profile.
class PlanDevice : public Device {
public:
  void profile(bool on) override;
  std::vector<FamilyTime> profileResult() const override;
  double profiledFlops() const override { return profile_.flops; }

protected:
  /// Prepares every entry point of `artifact`.
  Status prepare(const Artifact &artifact, Backend &backend);
  /// Issues the steps of an entry.
  Status issue(size_t entry, const Bindings &bindings) { return executors_[entry]->run(bindings); }
  bool profiling() const { return profile_.on; }

private:
  Profile profile_;
  std::vector<std::unique_ptr<Executor>> executors_;
};

} // namespace bifocal
#endif
