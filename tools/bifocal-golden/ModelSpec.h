// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCALGOLDEN_MODELSPEC_H
#define BIFOCAL_TOOLS_BIFOCALGOLDEN_MODELSPEC_H

#include "tools/bifocal-golden/GoldenFile.h"

namespace bifocal::golden {

struct AdamSettings {
  double beta1 = 0.9, beta2 = 0.98, epsilon = 1e-8, weightDecay = 0;
};

/// The TOML spec of a model file's hyper-parameters.
std::string specOfModel(const GoldenFile &file, const AdamSettings &adam);
std::string specOfLanguageModel(const GoldenFile &file);

/// The same of a file of a Lite Transformer, whose padding is masked before the first linear as published.
std::string specOfBranchModel(const GoldenFile &file);
std::string specOfBranchLanguageModel(const GoldenFile &file);

/// Of a language model with differential attention.
std::string specOfDiffModel(const GoldenFile &file);

} // namespace bifocal::golden
#endif
