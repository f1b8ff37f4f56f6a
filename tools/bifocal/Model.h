// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCAL_MODEL_H
#define BIFOCAL_TOOLS_BIFOCAL_MODEL_H

#include "runtime/core/Session.h"
#include "runtime/data/Prepared.h"
#include "tools/common/Devices.h"

#include <memory>
#include <string>

namespace CLI {
class App;
}

namespace bifocal::tools {

/// The options by which verbs name a model and what runs it.
struct ModelOptions {
  std::string model;
  std::string weights;
  DeviceOptions device;

  void addModel(CLI::App &verb);
  void addWeights(CLI::App &verb);

  /// Opens the artifact, or compiles a spec where the compiler is built in.
  Result<std::shared_ptr<const Artifact>> openArtifact() const;
  Result<std::unique_ptr<Session>> openSession(std::shared_ptr<const Artifact> artifact, bool training) const;
  /// Artifact, session and weights in one.
  Result<std::unique_ptr<Session>> openWithWeights() const;
};

/// The vocabularies of model and data must have equal sizes, and their text as many languages.
Status checkVocabularies(const Artifact &artifact, const PreparedData &data);
/// The same for what a manifest, or who has none yet, says of the model: its `kind` and its vocabularies.
Status checkVocabularies(const nlohmann::json &model, const PreparedData &data);

/// What tells both vocabularies of pairs from others of their sizes, e.g. "de 0123456789abcdef, en fedcba9876543210".
std::string describeVocabularies(const PreparedData &data);

/// Whether the model continues text, and does not translate it.
bool isLanguageModel(const Artifact &artifact);

/// What a loss per token is told in.
enum class LossUnit {
  perplexity,
  bitsPerCharacter, ///< where tokens are bytes
};
LossUnit lossUnit(const PreparedData &data);

/// The most positions that the model can take.
Result<int64_t> maxPositions(const Artifact &artifact);

} // namespace bifocal::tools
#endif
