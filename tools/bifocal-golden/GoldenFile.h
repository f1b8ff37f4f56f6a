// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCALGOLDEN_GOLDENFILE_H
#define BIFOCAL_TOOLS_BIFOCALGOLDEN_GOLDENFILE_H

#include "runtime/core/Status.h"

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace bifocal::golden {

/// One tensor of a golden file; integers and bytes are kept as integers.
struct GoldenTensor {
  std::vector<int64_t> shape;
  std::vector<float> values;
  std::vector<int64_t> integers;
};

/// Tensors and hyper-parameters that published code computed.
struct GoldenFile {
  nlohmann::json hparams;
  std::map<std::string, GoldenTensor> tensors;

  bool has(const std::string &name) const { return tensors.contains(name); }
  const GoldenTensor &operator[](const std::string &name) const;
  /// `hparams[name]`, or `fallback` where it is absent or null.
  int64_t integer(const char *name, int64_t fallback = 0) const;
  bool flag(const char *name) const;
};

/// Reads a safetensors file with F32, I64 and U8 tensors.
Result<GoldenFile> readGoldenFile(const std::string &path);
Result<nlohmann::json> readJson(const std::string &path);

/// [T, B, C] <-> [B, T, C].
GoldenTensor swapFirstAxes(const GoldenTensor &tensor);

} // namespace bifocal::golden
#endif
