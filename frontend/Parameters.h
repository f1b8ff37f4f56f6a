// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_FRONTEND_PARAMETERS_H
#define BIFOCAL_FRONTEND_PARAMETERS_H

#include "frontend/Spec.h"

namespace bifocal {

/// How a parameter's first values are made; the kinds are those of docs/Artifact.md.
struct Initializer {
  std::string kind;
  double value = 0;     ///< gain, standard deviation or bound; pad id of a sinusoid table
  int64_t zeroRow = -1; ///< `normal` only
};

/// One tensor of the state dict.
struct ParameterSpec {
  std::string name;
  std::vector<int64_t> shape;
  Initializer init;
  std::vector<std::string> aliases;
  bool constant = false; ///< made by its initialiser, never trained and never stored
  std::string specPath;  ///< the spec key that asked for it

  int64_t elements() const;
};

/// Every parameter of the model: trained ones in state-dict order, then constants. Tied tensors appear once.
std::vector<ParameterSpec> listParameters(const Spec &spec);

/// Elements of all trained parameters.
int64_t countTrained(const std::vector<ParameterSpec> &parameters);

/// The names of a layer's parts as in the published state dicts.
std::string layerPrefix(bool decoder, int64_t layer);
std::string mixerNormName(const StackSpec &stack, bool decoder);
std::string ffnNormName(const StackSpec &stack, bool decoder);
std::string embeddingName(const Spec &spec, bool decoder);
std::string outputProjectionName(const Spec &spec);
std::string positionTableName(const Spec &spec, bool decoder);
std::string convBiasName(const StackSpec &stack);

} // namespace bifocal
#endif
