// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal/Split.h"

#include "runtime/data/Streams.h"
#include "runtime/train/RecurrentMemory.h"
#include "tools/bifocal/Model.h"

#include <fmt/format.h>

namespace bifocal::tools {

template <typename Data> static Status keep(Split &split, Result<Data> data) {
  if (!data.ok())
    return data.status();
  split.batches = std::make_unique<Data>(data.take());
  return {};
}

Result<Split> Split::open(const PreparedData &data, const std::string &name, const SplitOptions &options,
                          const Artifact &artifact) {
  const Result<int64_t> positions = maxPositions(artifact);
  if (!positions.ok())
    return positions.status();
  std::vector<std::string> sides{data.sourceLanguage(), data.targetLanguage()};
  if (data.isMonolingual())
    sides = {""};
  Split split;
  for (const std::string &side : sides) {
    Result<Corpus> corpus = data.corpus(name, side);
    if (!corpus.ok())
      return corpus.status();
    split.corpora.push_back(std::make_unique<Corpus>(corpus.take()));
  }
  const Corpus &first = *split.corpora.front();
  if (!options.blocks) {
    BIFOCAL_RETURN_IF_ERROR(
        keep(split, ParallelData::create(first, *split.corpora.back(), options.limits, *positions, options.seed)));
    return split;
  }
  if (options.blocks->tokensPerSample > *positions)
    return Status(StatusCode::usage,
                  fmt::format("expects rows of at most {} tokens, the positions of the model, but got "
                              "tokens_per_sample {}",
                              *positions, options.blocks->tokensPerSample));
  if (MemorySettings::isUsed(artifact.manifest())) {
    if (options.blocks->contextWindow > 0)
      return Status(StatusCode::usage, "expects no context window of a model with a memory: its context are the "
                                       "segments before");
    BIFOCAL_RETURN_IF_ERROR(keep(split, StreamData::create(first, options.blocks->tokensPerSample, options.limits)));
    return split;
  }
  BIFOCAL_RETURN_IF_ERROR(keep(split, BlockData::create(first, *options.blocks, options.limits, options.seed)));
  return split;
}

uint64_t Split::digest() const {
  if (!batches)
    return 0;
  return corpora.size() > 1 ? corpora[0]->digest() * 31 + corpora[1]->digest() : corpora[0]->digest();
}

} // namespace bifocal::tools
