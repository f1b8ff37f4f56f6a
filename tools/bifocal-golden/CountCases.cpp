// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the presets of Lite Transformers count, and what their parameters start from.
#include "frontend/Parameters.h"
#include "runtime/core/Initializer.h"
#include "tools/bifocal-golden/Cases.h"
#include "tools/common/PublishedCount.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <set>

using namespace bifocal;
using namespace bifocal::golden;
using nlohmann::json;

/// The preset of a published configuration, e.g. "wmt16.en-de/embed200".
static std::string presetOf(const std::string &config) {
  if (config.starts_with("wikitext-103"))
    return "lite_transformer_lm";
  const std::string size = config.substr(config.find("embed") + 5);
  // The shape of summarisation is that of the largest for WMT'16 En-De.
  for (const auto &[prefix, preset] : {std::pair<std::string_view, std::string_view>{"iwslt14", "iwslt_de_en"},
                                       {"wmt16", "wmt_en_de"},
                                       {"cnndm", "wmt_en_de"},
                                       {"wmt14", "wmt_en_fr"}})
    if (config.starts_with(prefix))
      return fmt::format("lite_transformer_{}_{}", preset, size);
  return {};
}

/// "decoder.layers.3.fc1.bias" -> "decoder.layers.N.fc1.bias"
static std::string groupOf(std::string name) {
  const size_t begin = name.find("layers.");
  if (begin == std::string::npos)
    return name;
  const size_t end = name.find('.', begin + 7);
  return name.replace(begin + 7, end - begin - 7, "N");
}

Status golden::compareCounts(const json &file, Comparison &comparison) {
  for (const auto &[config, row] : file["configs"].items()) {
    Result<Spec> spec = parseSpec(fmt::format("preset = \"{}\"\n", presetOf(config)), config);
    if (!spec.ok())
      return spec.status();
    // A language model has one length, which the text of both sides stands for.
    for (const auto &[lengths, expected] : row["macs_rule"].items()) {
      const int64_t source = std::stoll(lengths), target = std::stoll(lengths.substr(lengths.find('x') + 1));
      const tools::PublishedCount count = tools::countAsPublished(*spec, source, target);
      comparison.equal(fmt::format("{} multiply-adds {}", config, lengths), count.multiplyAdds == expected);
      comparison.equal(config + " parameters", count.parameters == row["params_total"]);
      comparison.equal(config + " without tables", count.withoutEmbeddings == row["params_without_embed_tokens"]);
    }
    std::map<std::string, int64_t> groups;
    for (const ParameterSpec &parameter : listParameters(*spec))
      if (!parameter.constant)
        groups[groupOf(parameter.name)] += parameter.elements();
    comparison.equal(config + " names", groups == row["params_per_tensor_group"].get<std::map<std::string, int64_t>>());
  }
  return {};
}

/// The first values of `parameter`, as the runtime makes them.
static std::vector<float> firstValues(const ParameterSpec &parameter, size_t index) {
  Parameter made;
  made.name = parameter.name;
  made.shape = parameter.shape;
  made.init.zeroRow = parameter.init.zeroRow;
  made.init.gain = made.init.std = made.init.bound = parameter.init.value;
  for (const auto &[name, kind] :
       {std::pair<std::string_view, InitializerSpec::Kind>{"ones", InitializerSpec::Kind::ones},
        {"uniform", InitializerSpec::Kind::uniform},
        {"xavier_uniform", InitializerSpec::Kind::xavierUniform},
        {"normal", InitializerSpec::Kind::normal}})
    if (parameter.init.kind == name)
      made.init.kind = kind;
  std::vector<float> values(static_cast<size_t>(parameter.elements()));
  initializeParameter(made, index, /*seed=*/1, values);
  return values;
}

/// A law and its parameter: values that are constant, uniform in +-parameter, or normal, of mean 0 where they are
/// drawn.
static void compareLaw(const std::string &name, const std::vector<float> &values, const json &law,
                       Comparison &comparison) {
  const double parameter = law["parameter"], count = static_cast<double>(values.size());
  double sum = 0, squares = 0, most = 0;
  for (const float value : values) {
    sum += value;
    squares += static_cast<double>(value) * value;
    most = std::max(most, std::fabs(static_cast<double>(value)));
  }
  if (law["law"] == "constant") {
    comparison.equal(name, std::ranges::all_of(values, [&](float value) { return value == parameter; }));
    return;
  }
  const bool uniform = law["law"] == "uniform";
  const double deviation = uniform ? parameter / std::sqrt(3.0) : parameter;
  // Of n draws, the mean varies by deviation / sqrt(n), the mean square by at most sqrt(2 / n) of itself: five of
  // these.
  comparison.absolute(name + " mean", sum / count, 0, 5 * deviation / std::sqrt(count));
  comparison.absolute(name + " square", squares / count, deviation * deviation,
                      5 * std::sqrt(2 / count) * deviation * deviation);
  comparison.equal(name + " bound", !uniform || most <= parameter * (1 + 1e-6));
}

Status golden::compareInitialValues(const json &file, Comparison &comparison) {
  for (const auto &[config, row] : file["configs"].items()) {
    Result<Spec> spec = parseSpec(fmt::format("preset = \"{}\"\n", presetOf(config)), config);
    if (!spec.ok())
      return spec.status();
    const std::vector<ParameterSpec> parameters = listParameters(*spec);
    std::set<std::string> seen;
    for (size_t index = 0; index < parameters.size(); ++index) {
      const ParameterSpec &parameter = parameters[index];
      if (parameter.constant)
        continue;
      const json &groups = row["groups"];
      const std::string name = groups.contains(parameter.name) ? parameter.name : groupOf(parameter.name);
      if (!groups.contains(name))
        return {StatusCode::numericMismatch, fmt::format("the published {} has no `{}`", config, parameter.name)};
      seen.insert(name);
      std::vector<float> values = firstValues(parameter, index);
      // The row of the padding is zero, and no draw.
      if (const int64_t zero = parameter.init.zeroRow; zero >= 0) {
        const auto begin = values.begin() + zero * parameter.shape[1], end = begin + parameter.shape[1];
        comparison.equal(name + " zero row", std::all_of(begin, end, [](float value) { return value == 0; }));
        values.erase(begin, end);
      }
      compareLaw(config + " " + parameter.name, values, groups[name], comparison);
    }
    comparison.equal(config + " groups", seen.size() == row["groups"].size());
  }
  return {};
}
