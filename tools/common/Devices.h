// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_COMMON_DEVICES_H
#define BIFOCAL_TOOLS_COMMON_DEVICES_H

#include "runtime/core/Device.h"
#include "runtime/cpu/CpuDevice.h"

#include <memory>
#include <string>

namespace CLI {
class App;
}

namespace bifocal::tools {

/// The options by which verbs name what runs a model.
struct DeviceOptions {
  std::string device = "cpu";
  CpuOptions cpu;

  void add(CLI::App &verb);

  /// Errors:
  ///   deviceUnavailable  there is no such device here, or this build does not have it
  Result<std::unique_ptr<Device>> open() const;
};

} // namespace bifocal::tools
#endif
