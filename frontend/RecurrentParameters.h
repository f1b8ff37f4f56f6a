// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_FRONTEND_RECURRENTPARAMETERS_H
#define BIFOCAL_FRONTEND_RECURRENTPARAMETERS_H

#include "frontend/Parameters.h"

namespace bifocal {

/// Every parameter of a model with a memory: trained ones, then constants.
std::vector<ParameterSpec> listRecurrentParameters(const Spec &spec);

/// Tables of words: one for each band where bands differ in their width, else one for all.
int64_t wordTables(const Spec &spec);

std::string recurrentPrefix(int64_t layer);
/// Of the attention of a layer, without the dot.
std::string recurrentAttentionName(const Spec &spec, int64_t layer);
std::string spanName(int64_t layer);
std::string wordTableName(int64_t band);
std::string wordProjectionName(int64_t band);
/// Whether a trained parameter is part of the words, or of the softmax alone.
bool isOfRecurrentWords(std::string_view name);
bool isOfRecurrentSoftmax(std::string_view name);
/// Of the softmax; those of tails may be the words'.
std::string softmaxProjectionName(int64_t band);
std::string softmaxBiasName(int64_t band);
inline constexpr std::string_view distanceTableName = "pos_emb.sinusoidal";

} // namespace bifocal
#endif
