// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCALGOLDEN_COMPILEDMODULE_H
#define BIFOCAL_TOOLS_BIFOCALGOLDEN_COMPILEDMODULE_H

#include "runtime/core/Session.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace bifocal::golden {

/// A tensor in host memory.
struct HostTensor {
  ElementType type = ElementType::f32;
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;

  static HostTensor ofFloats(std::vector<int64_t> shape, std::span<const float> values);
  static HostTensor ofInts(std::vector<int64_t> shape, std::span<const int64_t> values);
  static HostTensor ofLongs(std::vector<int64_t> shape, std::span<const int64_t> values);
  static HostTensor ofBools(std::vector<int64_t> shape, std::span<const int64_t> values);
  static HostTensor zeros(std::vector<int64_t> shape);

  std::span<const float> floats() const;
  TensorView view();
};

/// A module taken through all phases and loaded on a device, all in this process.
class CompiledModule {
public:
  /// From here on modules are compiled for this device, `cpu`, `cuda` or `cuda-emu`, and loaded on it.
  static void useDevice(const std::string &name);
  /// `text` is MLIR with bifocal functions.
  static Result<std::unique_ptr<CompiledModule>> ofText(std::string_view text, bool training = false, int threads = 2);
  /// `text` is a TOML spec.
  static Result<std::unique_ptr<CompiledModule>> ofSpec(std::string_view text, bool training = false);

  /// Runs an entry; inputs and outputs by name, outputs with their memory in place.
  Status run(std::string_view entry, const std::map<std::string, HostTensor *> &tensors);

  Session &session() { return *session_; }

  /// The slab's piece that belongs to the parameter `name` or an alias of it; empty for an unknown name.
  std::span<float> parameter(std::string_view name) { return piece(session_->parameters(), name); }
  std::span<float> gradient(std::string_view name) { return piece(session_->gradients(), name); }

private:
  static Result<std::unique_ptr<CompiledModule>> load(const std::string &artifact, bool training, int threads);
  std::span<float> piece(std::span<float> slab, std::string_view name) const;

  std::unique_ptr<Session> session_;
};

} // namespace bifocal::golden
#endif
