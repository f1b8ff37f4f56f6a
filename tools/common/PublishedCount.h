// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_COMMON_PUBLISHEDCOUNT_H
#define BIFOCAL_TOOLS_COMMON_PUBLISHEDCOUNT_H

#include "frontend/Spec.h"

namespace bifocal::tools {

/// What papers print of a model (Wu et al., "Lite Transformer with Long-Short Range Attention", 2020, tables 1 and 2).
struct PublishedCount {
  int64_t parameters = 0;        ///< all that are trained, tied tables once
  int64_t withoutEmbeddings = 0; ///< of these, all but the tables of words and what makes narrow ones wide
  int64_t memory = 0;            ///< steps of earlier segments that tokens see besides, the longest of training
  /// Of one sentence: the products of all linears but the projection on the vocabulary, and the two sums of attention
  /// over all pairs of tokens, hidden ones as well; where distances have keys of their own, three. Taps of
  /// convolutions, norms, softmax, biases and embeddings are not counted. INT64_MAX: that many, or more.
  int64_t multiplyAdds = 0;
};

/// Counts the parameters and the ops of the entry `forward` for so many tokens of a source and a target.
PublishedCount countAsPublished(const Spec &spec, int64_t source, int64_t target);

} // namespace bifocal::tools
#endif
