// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TEST_RUNTIME_ARTIFACTBUILDER_H
#define BIFOCAL_TEST_RUNTIME_ARTIFACTBUILDER_H

#include <cstddef>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace bifocal::test {

/// A small artifact made by hand: one linear layer with an epilogue, a slab loop, a reduction, a state and an optimizer
/// step, whose kernels are in TestKernels.cpp.
nlohmann::json exampleManifest();
nlohmann::json examplePlan();
/// The layer's product has a workspace of 16 times `bytes` (its class has the value 1, rounded up).
nlohmann::json examplePlanWithWorkspace(int64_t bytes);
/// The layer keeps the panels of its weight from call to call.
nlohmann::json examplePlanWithPanels();

/// Zips the parts as docs/Artifact.md says; digests are filled in unless the manifest has them.
std::vector<std::byte> buildArtifact(nlohmann::json manifest, const nlohmann::json &plan,
                                     const std::map<std::string, std::vector<std::byte>> &objects, bool stored = true);

/// The example, or another plan for its manifest, with the kernels of TestKernels.cpp for every level.
std::vector<std::byte> exampleArtifact(const nlohmann::json &plan = examplePlan());

/// TestKernels.cpp as a shared object.
std::vector<std::byte> testKernels();

} // namespace bifocal::test
#endif
