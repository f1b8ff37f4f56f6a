// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_BENCH_BENCHMODEL_H
#define BIFOCAL_BENCH_BENCHMODEL_H

// What the programs that time whole models share.

#include "bench/BenchBatches.h"
#include "runtime/core/Artifact.h"
#include "runtime/core/Session.h"
#include "runtime/core/Status.h"
#include "tools/common/Devices.h"

#include <memory>
#include <string>
#include <vector>

namespace bifocal {

/// The path of an artifact: `model` itself, or what the `bifocal` beside this program makes of it, in the temporary
/// folder, when it is a spec (.toml) or when `preset` names one; then with `precision` unless that is empty.
Result<std::string> findArtifact(const std::string &model, const std::string &preset,
                                 const std::string &precision = {});

/// A model to measure, with initial parameters.
struct BenchModel {
  std::shared_ptr<const Artifact> artifact;
  BenchVocabulary vocabulary;
  std::unique_ptr<Session> session;
};

/// Opens the artifact of a translation or language model at `path` on `device`; `training` as for `Session::create`,
/// `seed` that of the parameters.
Result<BenchModel> openModel(const std::string &path, const tools::DeviceOptions &device, bool training, uint64_t seed);

/// The most memory that this process has had at once, bytes.
int64_t peakResidentBytes();

/// The middle one, the upper of two; 0 for none.
double median(std::vector<double> values);

} // namespace bifocal
#endif
