// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/RecurrentImport.h"

#include "frontend/RecurrentParameters.h"

using namespace bifocal;
using namespace mlir;

/// Text that lives as long as the context.
static StringRef interned(const std::string &text, Builder &builder) { return builder.getStringAttr(text).getValue(); }

std::vector<MemoryArgument> bifocal::memoryArguments(const Spec &spec, Builder &builder) {
  std::vector<MemoryArgument> arguments;
  // Layers of Transformer-XL remember the same steps; spans differ.
  const bool spans = spec.decoder.mixer == Mixer::spanAttention;
  for (int64_t layer = 0; layer < spec.decoder.layers; ++layer)
    arguments.push_back({interned("memory." + std::to_string(layer), builder),
                         spans ? interned("M" + std::to_string(layer), builder) : "M"});
  return arguments;
}

std::vector<std::string> bifocal::recurrentCaches(const Spec &spec) {
  std::vector<std::string> names;
  for (int64_t layer = 0; layer < spec.decoder.layers; ++layer)
    for (const char *cache : {".keys", ".values"})
      names.push_back(recurrentAttentionName(spec, layer) + cache);
  return names;
}

std::vector<std::string> bifocal::distanceStates(const Spec &spec) {
  std::vector<std::string> names;
  if (spec.decoder.mixer == Mixer::relativeAttention)
    for (int64_t layer = 0; layer < spec.decoder.layers; ++layer)
      names.push_back(recurrentAttentionName(spec, layer) + ".positions");
  return names;
}

void NamedResults::addStates(ArrayRef<Value> states, Builder &builder) {
  const size_t first = names.size(), spans = values.size() - first;
  values.insert(values.begin() + static_cast<int64_t>(first), states.begin(), states.end());
  for (size_t layer = 0; layer < states.size(); ++layer)
    names.push_back(interned("states." + std::to_string(layer), builder));
  for (size_t layer = 0; layer < spans; ++layer)
    names.push_back(interned("spans." + std::to_string(layer), builder));
}

DictionaryAttr bifocal::memoryAttribute(const Spec &spec, Builder &builder) {
  const RecurrentSpec &recurrent = spec.decoder.recurrent;
  NamedAttrList settings;
  auto set = [&](StringRef name, int64_t value) { settings.set(name, builder.getI64IntegerAttr(value)); };
  set("dim", spec.model.dim);
  set("layers", spec.decoder.layers);
  if (spec.decoder.mixer == Mixer::relativeAttention) {
    set("steps", recurrent.training.steps);
    set("evaluation_steps", recurrent.evaluation.steps);
    set("clamp_length", recurrent.evaluation.clampLength);
    settings.set("same_length", builder.getBoolAttr(recurrent.evaluation.sameLength));
    set("max_distance", spec.model.maxPositions);
    return settings.getDictionary(builder.getContext());
  }
  SmallVector<Attribute> spans;
  for (int64_t layer = 0; layer < spec.decoder.layers; ++layer)
    spans.push_back(builder.getStringAttr(spanName(layer)));
  set("steps", recurrent.span);
  set("span", recurrent.span);
  set("ramp", recurrent.ramp);
  settings.set("spans", builder.getArrayAttr(spans));
  return settings.getDictionary(builder.getContext());
}
