// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_MANIFEST_H
#define BIFOCAL_RUNTIME_CORE_MANIFEST_H

#include "runtime/core/Expression.h"
#include "runtime/core/Status.h"
#include "runtime/core/Tensor.h"

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace bifocal {

/// How a parameter gets its first values.
struct InitializerSpec {
  enum class Kind {
    zeros,
    ones,
    xavierUniform,
    normal,
    uniform,
    constant,
    sinusoidal,
    sinusoidalDistance,
    rotaryCos,
    rotarySin
  };
  Kind kind = Kind::zeros;
  double gain = 1.0;    ///< xavierUniform
  double std = 0.0;     ///< normal
  double mean = 0.0;    ///< normal
  double bound = 0.0;   ///< uniform
  double value = 0.0;   ///< constant
  int64_t zeroRow = -1; ///< normal: a row that is zero, or -1
  int64_t pad = -1;     ///< sinusoidal: the row that is zero
  double base = 0.0;    ///< rotaryCos, rotarySin: of the frequencies
};

/// One tensor in the parameter slab.
struct Parameter {
  std::string name;
  std::vector<std::string> aliases; ///< further names in weight files for the same tensor
  std::vector<int64_t> shape;
  int64_t offset = 0; ///< elements from the start of the slab
  InitializerSpec init;
  bool trained = true;
  bool stored = true; ///< false: made by its initialiser, never in a file

  int64_t elements() const {
    int64_t product = 1;
    for (int64_t extent : shape)
      product *= extent;
    return product;
  }
};

/// A tensor that lives between calls of entry points: a cache of the decoder.
struct StateInfo {
  std::string name;
  ElementType type = ElementType::f32;
  std::vector<Expression> dims; ///< over Manifest::stateSymbols
};

/// `manifest.json`, checked.
struct Manifest {
  static Result<Manifest> parse(std::string_view text);
  /// Numbers in the parameter slab, at most.
  static constexpr int64_t mostParameters = int64_t{1} << 40;

  /// Numbers that training changes: `trainedElements` without the gaps between parameters.
  int64_t trainedParameters() const;
  /// Bytes of the slabs of a session: parameters and, for training, gradients and the moments that the optimizer has.
  std::array<int64_t, 4> slabBytes(bool training) const;

  std::string compilerVersion;
  std::map<std::string, std::string> digests; ///< archive entry -> xxh3-128, hexadecimal
  std::string spec;                           ///< the TOML text, presets expanded
  std::string specHash;
  nlohmann::json model;    ///< an object
  nlohmann::json training; ///< an object
  std::vector<Parameter> parameters;
  int64_t parameterElements = 0;
  int64_t trainedElements = 0;
  int64_t moments = 2; ///< numbers that the optimizer remembers of each trained element, at most 2
  std::vector<StateInfo> states;
  std::vector<std::string> stateSymbols; ///< all symbols that the states' dims use, in order of appearance
};

} // namespace bifocal
#endif
