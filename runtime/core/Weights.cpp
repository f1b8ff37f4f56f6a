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

/// The first few of things that are wrong in one way, and how many more there are.
class Listing {
public:
  Listing(std::string_view before, std::string_view between) : before(before), between(between) {}
  void add(std::string_view item) {
    if (++count <= mostListed)
      text += fmt::format("{}{}", text.empty() ? before : between, item);
  }
  std::string str() const {
    return count > mostListed ? fmt::format("{} and {} more", text, count - mostListed) : text;
  }

private:
  static constexpr size_t mostListed = 4;
  std::string_view before, between;
  size_t count = 0;
  std::string text;
};

/// All that is wrong with the tensors of a file.
struct Problems {
  Listing missing{"expects the tensor ", ", "}, shapes{"", "; "};
  Listing unknown{"expects only tensors of the model, but got ", ", "};

  Status status() const {
    std::string all;
    for (const std::string &listed : {missing.str(), shapes.str(), unknown.str()})
      if (!listed.empty())
        all += (all.empty() ? "" : "; ") + listed;
    return all.empty() ? Status() : Status(StatusCode::malformed, all);
  }
};

} // namespace

Status readParameters(Session &session, const Safetensors &weights) {
  return readParameters(session.artifact().manifest(), session.parameters(), weights);
}

Status readParameters(const Manifest &manifest, std::span<float> slab, const Safetensors &weights) {
  const std::vector<Parameter> &parameters = manifest.parameters;
  std::set<std::string_view> known;
  Problems problems;
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
      problems.missing.add(fmt::format("'{}'", parameter.name));
    else if (const Safetensors::Entry &entry = *weights.find(name); entry.shape != parameter.shape)
      problems.shapes.add(fmt::format("tensor '{}': expects the shape [{}], but got [{}]", name,
                                      fmt::join(parameter.shape, ", "), fmt::join(entry.shape, ", ")));
    else
      BIFOCAL_RETURN_IF_ERROR(weights.readFloats(name, values));
  }
  for (const auto &[name, entry] : weights.tensors())
    if (!known.contains(name) && !isTrainingState(name))
      problems.unknown.add(fmt::format("'{}'", name));
  return problems.status();
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
