// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal/Checks.h"
#include "tools/bifocal/Message.h"
#include "tools/bifocal/Verb.h"
#if BIFOCAL_HAS_COMPILER
#include "runtime/core/File.h"
#include "runtime/data/Vocabulary.h"
#include "runtime/decode/Translator.h"
#include "tools/bifocal/VisualizeModel.h"
#else
#include "tools/bifocal/Model.h"
#endif

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/format.h>
#include <optional>

using namespace bifocal;

namespace {

/// The most tokens of a text: more would be too small to read.
constexpr size_t mostTokens = 256;

struct Options {
  tools::ModelOptions model;
  std::string data, text, output;
  std::optional<std::string> target;
  std::vector<int64_t> layers;
};

#if BIFOCAL_HAS_COMPILER

/// A token as a label: spaces and line ends are seen, and bytes that are no text are written as such.
std::string labelOf(const Tokenizer &tokenizer, int32_t id) {
  if (id == token::eos)
    return "</s>";
  if (id == token::unk)
    return "<unk>";
  std::string label;
  const std::string text = tokenizer.decode(std::span(&id, 1));
  const bool isByte = text.size() == 1;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == ' ')
      label += "␣";
    else if (byte < ' ' || byte == 0x7f || (isByte && byte > 0x7f))
      label += fmt::format("\\x{:02x}", byte);
    else
      label += c;
  }
  return label;
}

std::vector<std::string> labelsOf(const Tokenizer &tokenizer, const std::vector<int32_t> &ids) {
  std::vector<std::string> labels;
  for (const int32_t id : ids)
    labels.push_back(labelOf(tokenizer, id));
  return labels;
}

/// One line as ids.
Result<std::vector<int32_t>> encode(const Tokenizer &tokenizer, const std::string &line, const std::string &flag,
                                    const Spec &spec) {
  if (line.find('\n') != std::string::npos)
    return Status(StatusCode::usage, fmt::format("{} expects one line, but got several", flag));
  std::vector<int32_t> ids = tokenizer.encode(line);
  if (ids.empty())
    return Status(StatusCode::usage, fmt::format("{} expects at least one token, but got '{}'", flag, line));
  // Every text has a `</s>` beside.
  const size_t most = std::min(mostTokens, static_cast<size_t>(spec.model.maxPositions)) - 1;
  if (ids.size() > most)
    return Status(StatusCode::usage,
                  fmt::format("{} expects at most {} tokens, {}, but got {}", flag, most,
                              most + 1 == mostTokens ? "which a page has room for" : "the positions of the model",
                              ids.size()));
  return ids;
}

/// What the model itself makes of the source.
Result<std::vector<int32_t>> translateSource(const Options &options, const std::vector<int32_t> &source) {
  Result<std::unique_ptr<Session>> session = options.model.openWithWeights();
  if (!session.ok())
    return session.status();
  TranslateOptions search;
  search.beam.maxLengthRatio = 1.5;
  search.beam.maxLengthOffset = 20;
  const auto translations = translate(**session, std::span(&source, 1), search);
  if (!translations.ok())
    return translations.status();
  std::vector<int32_t> tokens = translations->front().front().tokens;
  tokens.pop_back();
  return tokens;
}

Result<tools::ReadTexts> readTexts(const Options &options, const PreparedData &data, const Spec &spec) {
  tools::ReadTexts texts;
  Result<std::vector<int32_t>> first = encode(data.sourceTokenizer(), options.text, "--text", spec);
  if (!first.ok())
    return first.status();
  texts.previous = {token::eos};
  Result<std::vector<int32_t>> read = *first;
  if (!spec.isLanguageModel()) {
    texts.source = *first;
    texts.source.push_back(token::eos);
    if (!options.target && options.model.model == "-")
      return Status(StatusCode::usage, "expects --target with a model from stdin, which is read only once");
    read = options.target ? encode(data.targetTokenizer(), *options.target, "--target", spec)
                          : translateSource(options, texts.source);
    if (!read.ok())
      return read.status();
  }
  texts.previous.insert(texts.previous.end(), read->begin(), read->end());
  return texts;
}

/// Leaves the layers that were asked for.
Status chooseLayers(const Options &options, std::vector<tools::LayerView> &views) {
  int64_t most = 0;
  for (const tools::LayerView &view : views)
    most = std::max(most, tools::layerNumber(view.layer));
  for (const int64_t layer : options.layers)
    if (layer > most)
      return {StatusCode::usage, fmt::format("--layers expects numbers from 0 to {}, the last layer of the model, but "
                                             "got {}",
                                             most, layer)};
  if (!options.layers.empty())
    std::erase_if(views, [&](const tools::LayerView &view) {
      return std::ranges::find(options.layers, tools::layerNumber(view.layer)) == options.layers.end();
    });
  return {};
}

std::string describeStack(const StackSpec &stack) {
  return fmt::format("{} layer{} of {} with {} head{}", stack.layers, stack.layers == 1 ? "" : "s", name(stack.mixer),
                     stack.heads, stack.heads == 1 ? "" : "s");
}

tools::Page makePage(const Options &options, const Spec &spec, const PreparedData &data,
                     const tools::ReadTexts &texts) {
  const auto nameOf = [](const std::string &path) { return path.substr(path.find_last_of('/') + 1); };
  const Tokenizer &target = spec.isLanguageModel() ? data.tokenizer() : data.targetTokenizer();
  tools::Page page;
  page.title = fmt::format("What {} looks at", nameOf(options.model.model));
  page.facts = {{"model", fmt::format("{}, {} channels", spec.isLanguageModel() ? "language model" : "translation",
                                      spec.model.dim)}};
  if (!spec.isLanguageModel())
    page.facts.emplace_back("encoder", describeStack(spec.encoder));
  page.facts.emplace_back("decoder", describeStack(spec.decoder));
  page.facts.emplace_back("weights", nameOf(options.model.weights));
  page.facts.emplace_back(spec.isLanguageModel() ? "text" : "source", options.text);
  const std::vector<int32_t> read(texts.previous.begin() + 1, texts.previous.end());
  if (!spec.isLanguageModel()) {
    page.facts.emplace_back(options.target ? "target" : "target, by the model", target.decode(read));
    page.source = labelsOf(data.sourceTokenizer(), texts.source);
  }
  page.facts.emplace_back("written by", "bifocal " BIFOCAL_VERSION);
  page.target = labelsOf(target, texts.previous);
  return page;
}

Status run(const Options &options) {
  Result<Spec> spec = tools::specOf(options.model);
  if (!spec.ok())
    return spec.status();
  Result<PreparedData> data = PreparedData::open(options.data);
  if (!data.ok())
    return data.status();
  BIFOCAL_RETURN_IF_ERROR(tools::checkVocabularies(nlohmann::json{{"kind", name(spec->model.kind)},
                                                                  {"vocabulary", spec->model.targetVocabulary},
                                                                  {"source_vocabulary", spec->model.sourceVocabulary},
                                                                  {"target_vocabulary", spec->model.targetVocabulary}},
                                                   *data));
  if (spec->isLanguageModel() && options.target)
    return {StatusCode::usage, "--target belongs to translation, but the model is a language model"};
  Result<tools::ReadTexts> texts = readTexts(options, *data, *spec);
  if (!texts.ok())
    return texts.status();
  tools::Page page = makePage(options, *spec, *data, *texts);
  Result<std::vector<tools::LayerView>> views = tools::viewLayers(*spec, options.model, *texts);
  if (!views.ok())
    return views.status();
  page.views = views.take();
  BIFOCAL_RETURN_IF_ERROR(chooseLayers(options, page.views));
  const std::string text = tools::writePage(page);
  if (text.size() > tools::mostPageBytes)
    return {StatusCode::overBudget,
            fmt::format("expects a page of at most {} bytes, but it has {}; choose --layers, or "
                        "a shorter text",
                        tools::mostPageBytes, text.size())};
  if (options.output == "-") {
    tools::writeText(stdout, text);
    return {};
  }
  BIFOCAL_RETURN_IF_ERROR(writeFileAtomically(options.output, std::as_bytes(std::span(text))));
  tools::say("{}: {} bytes\n", options.output, text.size());
  return {};
}

#else

Status run(const Options &) {
  return {StatusCode::unsupported, "visualize compiles what it shows, but this program was built without the compiler"};
}

#endif

} // namespace

void tools::addVisualize(CLI::App &app, int &exitCode) {
  auto options = std::make_shared<Options>();
  CLI::App *verb = app.add_subcommand(
      "visualize", "What a trained model looks at: attention, taps, spans and lambdas as a page of HTML");
  options->model.addModel(*verb);
  verb->add_option("data", options->data, "Folder that `bifocal prepare` made, for its vocabularies")->required();
  options->model.addWeights(*verb);
  verb->add_option("--text", options->text, "The sentence that the model reads")->required();
  verb->add_option("--target", options->target,
                   "Its translation; default: the model's own, by the search of `bifocal generate`")
      ->group("Translation");
  verb->add_option("-o,--output", options->output, "Where the page goes (.html); - is stdout")->required();
  verb->add_option("--layers", options->layers, "Numbers of the layers to show, with commas; default: all")
      ->delimiter(',')
      ->check(integerFrom(0));
  options->model.device.add(*verb);
  verb->footer("Example:\n  bifocal visualize model.toml data --weights run/best.safetensors --text 'a small dog' -o "
               "page.html");
  verb->callback([options, &exitCode] { exitCode = report(run(*options)); });
}
