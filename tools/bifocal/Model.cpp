// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal/Model.h"

#include "runtime/core/Artifact.h"
#include "runtime/core/Json.h"
#include "runtime/core/Weights.h"
#include "tools/bifocal/Verb.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <span>

namespace bifocal::tools {

void ModelOptions::addModel(CLI::App &verb) {
  verb.add_option("model", model, "Compiled model (.bifocal); with the compiler built in also a spec (.toml)")
      ->required();
}

void ModelOptions::addWeights(CLI::App &verb) {
  verb.add_option("--weights", weights, "Parameters or checkpoint (.safetensors)")->required();
}

Result<std::shared_ptr<const Artifact>> ModelOptions::openArtifact() const {
#if BIFOCAL_HAS_COMPILER
  if (model.ends_with(".toml")) {
    Result<std::string> bytes = compileSpecFile(model, device.device);
    return bytes.ok() ? Artifact::fromBytes(std::as_bytes(std::span(*bytes))) : bytes.status();
  }
#endif
  if (model.ends_with(".toml"))
    return Status(
        StatusCode::unsupported,
        fmt::format("expects a compiled model, but got the spec '{0}'; compile it first: bifocal compile {0}", model));
  return Artifact::open(model);
}

Result<std::unique_ptr<Session>> ModelOptions::openSession(std::shared_ptr<const Artifact> artifact,
                                                           bool training) const {
  Result<std::unique_ptr<Device>> opened = device.open();
  if (!opened.ok())
    return opened.status();
  return Session::create(std::move(artifact), opened.take(), training);
}

Result<std::unique_ptr<Session>> ModelOptions::openWithWeights() const {
  Result<std::shared_ptr<const Artifact>> artifact = openArtifact();
  if (!artifact.ok())
    return artifact.status();
  Result<std::unique_ptr<Session>> session = openSession(*artifact, /*training=*/false);
  if (session.ok())
    BIFOCAL_RETURN_IF_ERROR(readParameters(**session, weights));
  return session;
}

static bool isLanguageModel(const nlohmann::json &model) {
  return model.contains("kind") && model["kind"] == "language_model";
}

bool isLanguageModel(const Artifact &artifact) { return isLanguageModel(artifact.manifest().model); }

LossUnit lossUnit(const PreparedData &data) {
  const bool bytes = data.isMonolingual() && data.tokenizerKind() == TokenizerKind::bytes;
  return bytes ? LossUnit::bitsPerCharacter : LossUnit::perplexity;
}

static Status checkVocabulary(JsonReader &reader, const std::string &side, const Tokenizer &tokenizer) {
  const std::string key = side + "vocabulary";
  const int64_t ofModel = reader.integer(key.c_str());
  BIFOCAL_RETURN_IF_ERROR(reader.status());
  if (ofModel == tokenizer.size())
    return {};
  const std::string words = side.empty() ? key : side.substr(0, side.size() - 1) + " vocabulary";
  return {StatusCode::usage, fmt::format("expects data with a {} of {} tokens, as the model was compiled, but the data "
                                         "has {}; set model.{} in the spec",
                                         words, ofModel, tokenizer.size(), key)};
}

Status checkVocabularies(const Artifact &artifact, const PreparedData &data) {
  return checkVocabularies(artifact.manifest().model, data);
}

Status checkVocabularies(const nlohmann::json &model, const PreparedData &data) {
  if (isLanguageModel(model) && !data.isMonolingual())
    return {StatusCode::usage,
            fmt::format("expects text in one language for a language model, but the data is of pairs "
                        "in {} and {}; prepare it without --source-lang and --target-lang",
                        data.sourceLanguage(), data.targetLanguage())};
  if (!isLanguageModel(model) && data.isMonolingual())
    return {StatusCode::usage,
            "expects pairs for a translation model, but the data is text in one language; prepare it "
            "with --source-lang and --target-lang"};
  JsonReader reader(model, "model");
  if (data.isMonolingual())
    return checkVocabulary(reader, "", data.tokenizer());
  BIFOCAL_RETURN_IF_ERROR(checkVocabulary(reader, "source_", data.sourceTokenizer()));
  return checkVocabulary(reader, "target_", data.targetTokenizer());
}

std::string describeVocabularies(const PreparedData &data) {
  const auto digestOf = [](const Tokenizer &tokenizer) {
    const std::string text = tokenizer.serialized();
    return digest(std::as_bytes(std::span(text)));
  };
  return fmt::format("{} {}, {} {}", data.sourceLanguage(), digestOf(data.sourceTokenizer()), data.targetLanguage(),
                     digestOf(data.targetTokenizer()));
}

Result<int64_t> maxPositions(const Artifact &artifact) {
  JsonReader reader(artifact.manifest().model, "model");
  const int64_t positions = reader.integer("max_positions");
  if (!reader.status().ok())
    return reader.status();
  return positions;
}

} // namespace bifocal::tools
