// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal/InspectSpec.h"

#include "codegen/Compiler.h"
#include "tools/common/PublishedCount.h"

#include <charconv>
#include <fmt/format.h>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>

namespace bifocal::tools {

namespace {
/// The lengths that multiply-adds are counted for. Papers take sentences of 30 tokens.
struct Lengths {
  int64_t source = 30, target = 30;
};
} // namespace

static Result<Lengths> parseLengths(std::string_view text, bool isLanguageModel) {
  constexpr int64_t most = 1'000'000;
  // 0 for what is not allowed.
  const auto read = [](std::string_view part) {
    int64_t value = 0;
    const char *end = part.data() + part.size();
    const bool isNumber = std::from_chars(part.data(), end, value) == std::from_chars_result{end, std::errc()};
    return isNumber && value >= 1 && value <= most ? value : 0;
  };
  Lengths lengths;
  const size_t cut = text.find(',');
  const bool areTwo = cut != std::string_view::npos;
  lengths.source = read(text.substr(0, cut));
  lengths.target = areTwo ? read(text.substr(cut + 1)) : lengths.source;
  if (lengths.source == 0 || lengths.target == 0 || (areTwo && isLanguageModel))
    return Status(StatusCode::usage, fmt::format("--tokens expects {} from 1 to {}, but got `{}`",
                                                 isLanguageModel ? "one number for a language model,"
                                                                 : "N,M for a source and a target, or N for both,",
                                                 most, text));
  return lengths;
}

static std::string asText(const Spec &spec, const PublishedCount &count, const Lengths &lengths) {
  // A language model has one side.
  const std::string encoder = spec.isLanguageModel() ? "" : fmt::format("{} + ", spec.encoder.layers);
  const std::string source = spec.isLanguageModel() ? "" : fmt::format("{} + ", lengths.source);
  const std::string memory = count.memory > 0 ? fmt::format(" behind {} of memory", count.memory) : "";
  return fmt::format("{}{} layers of {} channels\n"
                     "parameters {} trained, {} without tables of words\n"
                     "published count of multiply-adds {} for {}{} tokens{} (products and attention; no taps, norms, "
                     "softmax, embeddings, projection on the vocabulary)\n",
                     encoder, spec.decoder.layers, spec.model.dim, count.parameters, count.withoutEmbeddings,
                     count.multiplyAdds, source, lengths.target, memory);
}

Result<std::string> describeSpec(std::string_view text, std::string_view fileName,
                                 const std::optional<std::string> &tokens, bool asJson) {
  const Result<Spec> spec = parseSpec(text, fileName);
  if (!spec.ok())
    return spec.status();
  const Result<Lengths> lengths = tokens ? parseLengths(*tokens, spec->isLanguageModel()) : Lengths();
  if (!lengths.ok())
    return lengths.status();
  const PublishedCount count = countAsPublished(*spec, lengths->source, lengths->target);
  if (count.multiplyAdds == std::numeric_limits<int64_t>::max())
    return Status(StatusCode::usage, "--tokens expects fewer: the model has more than 2^63 multiply-adds for as many");
  if (!asJson)
    return asText(*spec, count, *lengths);
  return nlohmann::json({{"kind", "spec"},
                         {"trained_parameters", count.parameters},
                         {"parameters_without_embeddings", count.withoutEmbeddings},
                         {"published_multiply_adds",
                          {{"source_tokens", lengths->source},
                           {"target_tokens", lengths->target},
                           {"memory_tokens", count.memory},
                           {"count", count.multiplyAdds}}}})
             .dump(2) +
         "\n";
}

Result<std::shared_ptr<const Artifact>> planSpec(std::string_view text, std::string_view fileName) {
  CompileOptions options;
  // Plans are the same for all machines.
  options.to = Phase::Schedule;
  const Result<std::string> bytes = compileSpec(text, fileName, options);
  return bytes.ok() ? Artifact::fromBytes(std::as_bytes(std::span(*bytes))) : bytes.status();
}

} // namespace bifocal::tools
