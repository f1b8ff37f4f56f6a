// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal/InspectSpec.h"

#include "tools/common/PublishedCount.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace bifocal::tools {

/// The length of the sentences that papers count multiply-adds for.
constexpr int64_t publishedTokens = 30;

Result<std::string> describeSpec(std::string_view text, std::string_view fileName, bool asJson) {
  const Result<Spec> spec = parseSpec(text, fileName);
  if (!spec.ok())
    return spec.status();
  const PublishedCount count = countAsPublished(*spec, publishedTokens, publishedTokens);
  if (asJson)
    return nlohmann::json({{"kind", "spec"},
                           {"trained_parameters", count.parameters},
                           {"parameters_without_embeddings", count.withoutEmbeddings},
                           {"published_multiply_adds",
                            {{"source_tokens", publishedTokens},
                             {"target_tokens", publishedTokens},
                             {"memory_tokens", count.memory},
                             {"count", count.multiplyAdds}}}})
               .dump(2) +
           "\n";
  // A language model has one side.
  const std::string encoder = spec->isLanguageModel() ? "" : fmt::format("{} + ", spec->encoder.layers);
  const std::string source = spec->isLanguageModel() ? "" : fmt::format("{} + ", publishedTokens);
  const std::string memory = count.memory > 0 ? fmt::format(" behind {} of memory", count.memory) : "";
  return fmt::format("{}{} layers of {} channels\n"
                     "parameters {} trained, {} without tables of words\n"
                     "published count of multiply-adds {} for {}{} tokens{} (products and attention; no taps, norms, "
                     "softmax, embeddings, projection on the vocabulary)\n",
                     encoder, spec->decoder.layers, spec->model.dim, count.parameters, count.withoutEmbeddings,
                     count.multiplyAdds, source, publishedTokens, memory);
}

} // namespace bifocal::tools
