// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal/Model.h"

#include "runtime/core/Json.h"
#include "runtime/core/Weights.h"
#include "tools/bifocal/Verb.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

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

Status checkVocabularies(const Artifact &artifact, const PreparedData &data) {
  JsonReader reader(artifact.manifest().model, "model");
  const int64_t source = reader.integer("source_vocabulary"), target = reader.integer("target_vocabulary");
  BIFOCAL_RETURN_IF_ERROR(reader.status());
  const auto check = [](const char *side, int64_t ofModel, int64_t ofData) {
    if (ofModel == ofData)
      return Status();
    return Status(StatusCode::usage,
                  fmt::format("expects data with a {} vocabulary of {} tokens, as the model was compiled, "
                              "but the data has {}; set model.{}_vocabulary in the spec",
                              side, ofModel, ofData, side));
  };
  BIFOCAL_RETURN_IF_ERROR(check("source", source, data.sourceTokenizer().size()));
  return check("target", target, data.targetTokenizer().size());
}

Result<int64_t> maxPositions(const Artifact &artifact) {
  JsonReader reader(artifact.manifest().model, "model");
  const int64_t positions = reader.integer("max_positions");
  if (!reader.status().ok())
    return reader.status();
  return positions;
}

} // namespace bifocal::tools
