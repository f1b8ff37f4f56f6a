// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Weights.h"

#include "runtime/core/Initializer.h"

#include <fmt/format.h>
#include <set>

namespace bifocal {
namespace {

/// The name under which the file has the parameter, or empty.
std::string_view nameInFile(const Parameter &parameter, const Safetensors &weights) {
  if (weights.find(parameter.name))
    return parameter.name;
  for (const std::string &alias : parameter.aliases)
    if (weights.find(alias))
      return alias;
  return {};
}

} // namespace

Status readParameters(Session &session, const Safetensors &weights) {
  return readParameters(session.artifact().manifest(), session.parameters(), weights);
}

Status readParameters(const Manifest &manifest, std::span<float> slab, const Safetensors &weights) {
  const std::vector<Parameter> &parameters = manifest.parameters;
  std::set<std::string_view> known;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Parameter &parameter = parameters[i];
    known.insert(parameter.name);
    known.insert(parameter.aliases.begin(), parameter.aliases.end());
    const std::span<float> values =
        slab.subspan(static_cast<size_t>(parameter.offset), static_cast<size_t>(parameter.elements()));
    if (!parameter.stored) {
      initializeParameter(parameter, i, 0, values);
      continue;
    }
    const std::string_view name = nameInFile(parameter, weights);
    if (name.empty())
      return {StatusCode::malformed, fmt::format("expects the tensor '{}'", parameter.name)};
    const Safetensors::Entry &entry = *weights.find(name);
    if (entry.shape != parameter.shape)
      return {StatusCode::malformed, fmt::format("tensor '{}': expects the shape [{}], but got [{}]", name,
                                                 fmt::join(parameter.shape, ", "), fmt::join(entry.shape, ", "))};
    BIFOCAL_RETURN_IF_ERROR(weights.readFloats(name, values));
  }
  for (const auto &[name, entry] : weights.tensors())
    if (!known.contains(name) && !isTrainingState(name))
      return {StatusCode::malformed, fmt::format("expects only tensors of the model, but got '{}'", name)};
  return {};
}

Status readParameters(Session &session, const std::string &path) {
  Result<Safetensors> weights = Safetensors::open(path);
  if (!weights.ok())
    return weights.status();
  Status status = readParameters(session, *weights);
  if (status.ok())
    status = weights->checkDigest();
  return status.ok() ? status : Status(status.code(), fmt::format("'{}': {}", path, status.message()));
}

} // namespace bifocal
