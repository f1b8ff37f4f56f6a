// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Initializer.h"

#include "runtime/core/ArtifactFormat.h"
#include "runtime/core/Philox.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace bifocal {
namespace {

/// Four draws for elements 4 * block .. 4 * block + 3.
std::array<uint32_t, 4> draws(uint64_t block, size_t index, uint64_t seed) {
  return philox4x32({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), static_cast<uint32_t>(index),
                     format::initializerStream},
                    {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
}

/// Uniform in [-bound, bound), with the 24 bits that a float holds exactly.
void fillUniform(double bound, size_t index, uint64_t seed, std::span<float> values) {
  for (size_t begin = 0; begin < values.size(); begin += 4) {
    const std::array<uint32_t, 4> bits = draws(begin / 4, index, seed);
    for (size_t lane = 0; lane < std::min<size_t>(4, values.size() - begin); ++lane)
      values[begin + lane] = static_cast<float>((static_cast<double>(bits[lane] >> 8) * 0x1p-23 - 1.0) * bound);
  }
}

/// Box-Muller on pairs of lanes; the first uniform is in (0, 1], so that its logarithm is finite.
void fillNormal(double mean, double deviation, size_t index, uint64_t seed, std::span<float> values) {
  for (size_t begin = 0; begin < values.size(); begin += 4) {
    const std::array<uint32_t, 4> bits = draws(begin / 4, index, seed);
    for (size_t lane = 0; lane < std::min<size_t>(4, values.size() - begin); ++lane) {
      const double u = (static_cast<double>(bits[lane & ~size_t{1}]) + 1.0) * 0x1p-32;
      const double angle = 2.0 * std::numbers::pi * static_cast<double>(bits[lane | 1]) * 0x1p-32;
      const double radius = std::sqrt(-2.0 * std::log(u));
      values[begin + lane] =
          static_cast<float>(mean + deviation * radius * (lane % 2 == 0 ? std::cos(angle) : std::sin(angle)));
    }
  }
}

/// Row p = [sin(p f_0) .., cos(p f_0) ..] with f_i = 10000^(-i / (C/2 - 1)), all in f32 as the published code has it.
void fillSinusoidal(const Parameter &parameter, std::span<float> values) {
  const int64_t columns = parameter.shape.back(), rows = parameter.elements() / columns, half = columns / 2;
  const float scale = static_cast<float>(std::log(10000.0) / static_cast<double>(std::max<int64_t>(1, half - 1)));
  std::fill(values.begin(), values.end(), 0.0f);
  for (int64_t p = 0; p < rows; ++p) {
    if (p == parameter.init.pad)
      continue;
    float *row = values.data() + p * columns;
    for (int64_t i = 0; i < half; ++i) {
      const float angle = static_cast<float>(p) * std::exp(static_cast<float>(i) * -scale);
      row[i] = std::sin(angle);
      row[half + i] = std::cos(angle);
    }
  }
}

/// Element (t, p) = cos or sin of t base^(-p / pairs): the angle in f64, since it grows with the position.
void fillRotary(const Parameter &parameter, std::span<float> values) {
  const int64_t pairs = parameter.shape.back(), rows = parameter.elements() / pairs;
  for (int64_t p = 0; p < pairs; ++p) {
    const double frequency = std::pow(parameter.init.base, -static_cast<double>(p) / static_cast<double>(pairs));
    for (int64_t t = 0; t < rows; ++t) {
      const double angle = static_cast<double>(t) * frequency;
      values[t * pairs + p] = static_cast<float>(
          parameter.init.kind == InitializerSpec::Kind::rotaryCos ? std::cos(angle) : std::sin(angle));
    }
  }
}

/// Row d = [sin(d f_0) .., cos(d f_0) ..] with f_i = 10000^(-2i / C), of Transformer-XL: d is a distance.
void fillDistances(const Parameter &parameter, std::span<float> values) {
  const int64_t columns = parameter.shape.back(), rows = parameter.elements() / columns, half = columns / 2;
  std::fill(values.begin(), values.end(), 0.0f);
  for (int64_t d = 0; d < rows; ++d)
    for (int64_t i = 0; i < half; ++i) {
      const double angle =
          static_cast<double>(d) * std::pow(10000.0, -2.0 * static_cast<double>(i) / static_cast<double>(columns));
      values[static_cast<size_t>(d * columns + i)] = static_cast<float>(std::sin(angle));
      values[static_cast<size_t>(d * columns + half + i)] = static_cast<float>(std::cos(angle));
    }
}

} // namespace

void initializeParameter(const Parameter &parameter, size_t index, uint64_t seed, std::span<float> values) {
  const InitializerSpec &init = parameter.init;
  switch (init.kind) {
  case InitializerSpec::Kind::zeros:
    std::fill(values.begin(), values.end(), 0.0f);
    return;
  case InitializerSpec::Kind::ones:
    std::fill(values.begin(), values.end(), 1.0f);
    return;
  case InitializerSpec::Kind::uniform:
    return fillUniform(init.bound, index, seed, values);
  case InitializerSpec::Kind::constant:
    std::fill(values.begin(), values.end(), static_cast<float>(init.value));
    return;
  case InitializerSpec::Kind::sinusoidalDistance:
    return parameter.shape.empty() ? void() : fillDistances(parameter, values);
  case InitializerSpec::Kind::sinusoidal:
    return parameter.shape.empty() ? void() : fillSinusoidal(parameter, values);
  case InitializerSpec::Kind::rotaryCos:
  case InitializerSpec::Kind::rotarySin:
    return parameter.shape.empty() ? void() : fillRotary(parameter, values);
  case InitializerSpec::Kind::xavierUniform: {
    // Rank 1 and 0 have no fans of their own; they count as one row.
    double fanIn = 1.0, receptive = 1.0;
    for (size_t axis = 1; axis < parameter.shape.size(); ++axis) {
      fanIn *= static_cast<double>(parameter.shape[axis]);
      receptive *= axis >= 2 ? static_cast<double>(parameter.shape[axis]) : 1.0;
    }
    const double fanOut = (parameter.shape.empty() ? 1.0 : static_cast<double>(parameter.shape[0])) * receptive;
    return fillUniform(init.gain * std::sqrt(6.0 / (fanIn + fanOut)), index, seed, values);
  }
  case InitializerSpec::Kind::normal: {
    fillNormal(init.mean, init.std, index, seed, values);
    const int64_t row = parameter.shape.empty() ? 0 : parameter.elements() / parameter.shape[0];
    if (init.zeroRow >= 0 && !parameter.shape.empty() && init.zeroRow < parameter.shape[0])
      std::fill_n(values.begin() + init.zeroRow * row, row, 0.0f);
    return;
  }
  }
}

} // namespace bifocal
