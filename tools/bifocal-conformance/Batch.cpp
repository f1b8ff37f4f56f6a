// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal-conformance/Batch.h"

#include "runtime/core/Json.h"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <random>

namespace bifocal::conformance {

Result<Shape> Shape::parse(const std::string &text) {
  Shape shape;
  int used = 0;
  const int read = std::sscanf(text.c_str(), "%ldx%ldx%ld%n", &shape.sentences, &shape.source, &shape.target, &used);
  constexpr int64_t most = 1 << 16;
  const auto inside = [](int64_t extent) { return extent >= 1 && extent <= most; };
  if (read != 3 || static_cast<size_t>(used) != text.size() || !inside(shape.sentences) || !inside(shape.source) ||
      !inside(shape.target))
    return Status(StatusCode::usage,
                  fmt::format("expects sentences x source steps x target steps, e.g. 2x5x7, but got '{}'", text));
  return shape;
}

std::string Shape::str() const { return fmt::format("{}x{}x{}", sentences, source, target); }

Result<Batch> Batch::create(const Manifest &manifest, const Shape &shape, uint64_t seed) {
  JsonReader model(manifest.model, "model");
  const auto pad = static_cast<int32_t>(model.integer("pad")), eos = static_cast<int32_t>(model.integer("eos"));
  const bool translates = model.string("kind", "translation") != "language_model";
  const int64_t targetWords = model.integer(translates ? "target_vocabulary" : "vocabulary"),
                sourceWords = translates ? model.integer("source_vocabulary") : targetWords;
  if (!model.status().ok())
    return model.status();
  const int32_t firstWord = std::max(pad, eos) + 1;
  if (sourceWords <= firstWord || targetWords <= firstWord)
    return Status(StatusCode::unsupported, "expects vocabularies with words besides pad and </s>");
  // The engine's sequence is part of the language, that of the distributions is not.
  std::mt19937_64 engine(seed);
  const auto word = [&](int64_t words) {
    return firstWord + static_cast<int32_t>(engine() % static_cast<uint64_t>(words - firstWord));
  };
  Batch batch{shape, translates, {}, {}, {}};
  for (int64_t sentence = 0; sentence < shape.sentences; ++sentence) {
    const auto length = [&](int64_t steps) {
      return std::max<int64_t>(1, steps - 2 * sentence % std::max<int64_t>(1, steps));
    };
    const int64_t sourceLength = length(shape.source), targetLength = length(shape.target);
    for (int64_t step = 0; step < shape.source; ++step)
      batch.source.push_back(step + 1 < sourceLength ? word(sourceWords) : step < sourceLength ? eos : pad);
    for (int64_t step = 0; step < shape.target; ++step) {
      batch.target.push_back(step + 1 < targetLength ? word(targetWords) : step < targetLength ? eos : pad);
      const bool inside = step < targetLength;
      batch.previous.push_back(!inside ? pad : step == 0 ? eos : batch.target[batch.target.size() - 2]);
    }
  }
  return batch;
}

std::vector<TensorView> Batch::inputs(bool withTarget) {
  std::vector<TensorView> views;
  if (translates)
    views.push_back({ElementType::i32, {shape.sentences, shape.source}, source.data()});
  views.push_back({ElementType::i32, {shape.sentences, shape.target}, previous.data()});
  if (withTarget)
    views.push_back({ElementType::i32, {shape.sentences, shape.target}, target.data()});
  return views;
}

} // namespace bifocal::conformance
