// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_ARTIFACT_H
#define BIFOCAL_RUNTIME_CORE_ARTIFACT_H

#include "runtime/core/DeviceCode.h"
#include "runtime/core/Manifest.h"
#include "runtime/core/Plan.h"
#include "runtime/core/Status.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bifocal {

/// What `bifocal compile` wrote (docs/Artifact.md), read and checked: every field is in bounds and every digest right,
/// but the native code inside is code: open only files that you trust. Immutable, so sessions and threads may share it.
class Artifact {
public:
  /// The kernels for one CPU level, as an ELF shared object.
  struct HostObject {
    std::string level;
    std::vector<std::byte> bytes;
  };

  /// Reads the file at `path` ("-" is stdin).
  static Result<std::shared_ptr<const Artifact>> open(const std::string &path);
  /// Reads an artifact in memory; the bytes are not needed afterwards.
  static Result<std::shared_ptr<const Artifact>> fromBytes(std::span<const std::byte> bytes);

  const Manifest &manifest() const { return manifest_; }
  const Plan &plan() const { return plan_; }
  const std::vector<HostObject> &hostObjects() const { return hostObjects_; }
  const DeviceCode &deviceCode() const { return deviceCode_; }

private:
  Artifact() = default;
  Manifest manifest_;
  Plan plan_;
  std::vector<HostObject> hostObjects_;
  DeviceCode deviceCode_;
};

/// The digest of an archive entry as the manifest has it: xxh3-128, 32 hexadecimal digits.
std::string digest(std::span<const std::byte> bytes);

} // namespace bifocal
#endif
