// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCALGOLDEN_CASES_H
#define BIFOCAL_TOOLS_BIFOCALGOLDEN_CASES_H

#include "runtime/core/Status.h"
#include "tools/bifocal-golden/Comparison.h"
#include "tools/bifocal-golden/GoldenFile.h"

#include <nlohmann/json.hpp>

namespace bifocal::golden {

// One function per kind of golden file: compiles what the file's hyper-parameters describe, runs it and compares.
Status compareConvolution(const GoldenFile &file, Comparison &comparison);
Status compareDiffAttention(const GoldenFile &file, Comparison &comparison);
Status compareDiffModel(const GoldenFile &published, Comparison &comparison);
Status compareSpanAttention(const GoldenFile &file, Comparison &comparison);
Status compareLayer(const GoldenFile &file, Comparison &comparison);
Status compareModel(const GoldenFile &file, Comparison &comparison);
Status compareLanguageModel(const GoldenFile &file, Comparison &comparison);
/// `base` is the file that holds the parameters.
Status compareUpdates(const GoldenFile &file, const GoldenFile &base, Comparison &comparison);
Status compareBeams(const GoldenFile &file, const GoldenFile &base, Comparison &comparison);
// Lite Transformer: the module with its branches, layers and whole models of it, what they count and start from.
Status compareBranches(const GoldenFile &file, Comparison &comparison);
Status compareBranchModel(const GoldenFile &file, Comparison &comparison);
Status compareBranchLanguageModel(const GoldenFile &original, Comparison &comparison);
Status compareBranchBeams(const GoldenFile &file, Comparison &comparison);
// Transformer-XL and adaptive span: segments with memory, and updates.
Status compareRecurrentModel(const GoldenFile &file, Comparison &comparison);
Status compareCounts(const nlohmann::json &file, Comparison &comparison);
Status compareInitialValues(const nlohmann::json &file, Comparison &comparison);
Status compareSchedules(const nlohmann::json &file, Comparison &comparison);
Status compareTrajectories(const nlohmann::json &file, Comparison &comparison);
Status compareBatches(const nlohmann::json &file, Comparison &comparison);
Status compareBleu(const nlohmann::json &file, Comparison &comparison);

} // namespace bifocal::golden
#endif
