// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCALCONFORMANCE_TRIAL_H
#define BIFOCAL_TOOLS_BIFOCALCONFORMANCE_TRIAL_H

#include "runtime/core/Artifact.h"
#include "runtime/core/Device.h"
#include "tools/bifocal-conformance/Batch.h"

#include <memory>
#include <string>
#include <vector>

namespace bifocal::conformance {

/// Numbers that an entry point gave, e.g. "forward logits".
struct Outcome {
  std::string name;
  std::vector<float> values;
};

/// Everything that a model does with a batch on a device, from the same first parameters: logits, losses, gradients,
/// `updates` training steps, decoding step by step.
Result<std::vector<Outcome>> tryModel(std::shared_ptr<const Artifact> artifact, std::unique_ptr<Device> device,
                                      Batch &batch, int64_t updates);

} // namespace bifocal::conformance
#endif
