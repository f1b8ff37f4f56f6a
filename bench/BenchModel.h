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

/// Compiles a preset with the `bifocal` beside this program; the path of the artifact, in the temporary folder.
Result<std::string> compilePreset(const std::string &preset);

/// The special tokens and sizes of a translation model's vocabularies; an error for models of other kinds.
Result<BenchVocabulary> vocabularyOf(const Artifact &artifact);

/// The middle one, the upper of two; 0 for none.
double median(std::vector<double> values);

} // namespace bifocal
#endif
