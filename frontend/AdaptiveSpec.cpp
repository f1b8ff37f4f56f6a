// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/AdaptiveSpec.h"

#include <fmt/format.h>

using namespace bifocal;

/// Cutoffs and factor of `table`, whose bands are those of the vocabulary.
static void readBands(TableReader &table, AdaptiveSpec &bands, const ModelSpec &model) {
  bands.cutoffs = table.integers("cutoffs", 1, std::numeric_limits<int32_t>::max());
  bands.factor = table.integer("factor", bands.factor, 1, 1 << 10);
  if (!table.has("cutoffs"))
    table.error("cutoffs", fmt::format("expects `cutoffs`, the first ids of all bands but the first, in {}, but the "
                                       "key is missing",
                                       table.title()));
  // The ids that every vocabulary begins with are in the first band.
  int64_t before = unkId;
  for (int64_t cutoff : bands.cutoffs) {
    if (cutoff <= before || (model.targetVocabulary > 0 && cutoff >= model.targetVocabulary)) {
      table.error("cutoffs", fmt::format("expects ascending `cutoffs` above {} and below the vocabulary {}, but got {}",
                                         unkId, model.targetVocabulary, cutoff));
      return;
    }
    before = cutoff;
  }
  if (const int64_t narrowest = bands.width(bands.bands() - 1, model.dim); narrowest < 1)
    table.error("factor", fmt::format("expects a width of at least 1 for every band, but {} bands of dim {} by the "
                                      "factor {} leave the last one 0",
                                      bands.bands(), model.dim, bands.factor));
}

static void readSoftmax(TableReader table, ModelSpec &model) {
  AdaptiveSoftmaxSpec &softmax = model.adaptiveSoftmax;
  readBands(table, softmax, model);
  softmax.dropout = table.number("dropout", 0, 0, 1, true);
  softmax.tieWeights = table.boolean("tie_weights", false);
  softmax.tieProjections = table.boolean("tie_projections", false);
  softmax.compat = table.boolean("compat", false);
  if (softmax.tieProjections && !softmax.tieWeights)
    table.error("tie_projections", "`tie_projections` expects `tie_weights = true`, but it is false");
  if (softmax.tieWeights && static_cast<const AdaptiveSpec &>(softmax) != model.adaptiveInput)
    table.error("tie_weights",
                "`tie_weights` expects an `adaptive_input` of the same cutoffs and factor, but got another "
                "or none");
  table.finish();
}

void bifocal::readAdaptive(TableReader &table, ModelSpec &model) {
  constexpr std::string_view keys[] = {"adaptive_input", "adaptive_softmax"};
  if (model.kind != ModelKind::languageModel) {
    for (std::string_view key : keys) {
      table.accept(key);
      if (table.userHas(key))
        table.error(key, fmt::format("`{}` belongs to language models, but the kind is `translation`", key));
    }
    return;
  }
  for (std::string_view key : keys) {
    table.accept(key);
    if (table.has(key) && model.sharing != Sharing::none)
      table.error(
          key, fmt::format("`{}` expects `share_embeddings = \"none\"`: an adaptive softmax has `tie_weights`", key));
  }
  if (table.has(keys[0])) {
    TableReader input = table.table(keys[0]);
    readBands(input, model.adaptiveInput, model);
    input.finish();
  }
  if (table.has(keys[1]))
    readSoftmax(table.table(keys[1]), model);
}
