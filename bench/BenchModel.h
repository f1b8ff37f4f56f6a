// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_BENCH_BENCHMODEL_H
#define BIFOCAL_BENCH_BENCHMODEL_H

// What the programs that time whole models share.

#include "bench/BenchBatches.h"
#include "runtime/core/Artifact.h"
#include "runtime/core/Status.h"

#include <string>
#include <vector>

namespace bifocal {

/// The path of an artifact: `model` itself, or what the `bifocal` beside this program makes of it, in the temporary
/// folder, when it is a spec (.toml) or when `preset` names one.
Result<std::string> findArtifact(const std::string &model, const std::string &preset);

/// The special tokens and sizes of a translation model's vocabularies; an error for models of other kinds.
Result<BenchVocabulary> vocabularyOf(const Artifact &artifact);

/// The most memory that this process has had at once, bytes.
int64_t peakResidentBytes();

/// The middle one, the upper of two; 0 for none.
double median(std::vector<double> values);

} // namespace bifocal
#endif
