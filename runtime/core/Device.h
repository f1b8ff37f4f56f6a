// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_DEVICE_H
#define BIFOCAL_RUNTIME_CORE_DEVICE_H

#include "runtime/core/Artifact.h"
#include "runtime/core/Status.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bifocal {

/// Memory on a device, zero at first, at least 64-byte aligned; freed with its owner.
class DeviceMemory {
public:
  virtual ~DeviceMemory() = default;
  /// Where it is for kernels.
  virtual std::byte *data() const = 0;
  virtual size_t size() const = 0;
  /// Of memory for `MemoryUse::shared`: where the host reads what kernels wrote until now, and may write what they find
  /// in the next `execute`, which ends the validity. Null where the device could not give it.
  virtual std::byte *host() = 0;
};

/// What memory is for.
enum class MemoryUse : uint8_t {
  kernels, ///< by kernels alone
  shared,  ///< also read and written by the host, between calls of `execute`
  sparse,  ///< by kernels alone; parts may never be touched, and cost nothing where the system can spare them
};

/// The memory of one call of an entry point: the device's, but for inputs and outputs, which are the host's.
struct Bindings {
  std::span<const int64_t> symbols;     ///< values in the order of EntryPlan::symbols
  std::byte *arena = nullptr;           ///< all size classes, one after the other
  std::span<const int64_t> classBases;  ///< where each class begins in the arena, bytes
  std::span<const int64_t> classValues; ///< value of each class, rounded up
  std::array<std::byte *, 4> slabs{};   ///< parameters, gradients, first and second moments
  std::byte *panels = nullptr;          ///< copies of parameters that this entry keeps from call to call
  bool panelsCurrent = false;           ///< whether they are those of the parameters as they are now
  std::span<std::byte *const> states;   ///< in the order of Manifest::states
  std::span<const int64_t> stateBytes;  ///< their sizes
  std::span<std::byte *const> inputs, outputs;
  std::span<const int64_t> inputBytes, outputBytes;
};

/// Time spent in one step family.
struct FamilyTime {
  std::string family;
  double seconds = 0;
  int64_t calls = 0;
};

/// Something that runs plans: this machine's CPU here; GPUs and their emulator stand behind the same interface.
/// One call at a time.
class Device {
public:
  virtual ~Device() = default;

  /// What runs the kernels, for logs: e.g. "cpu x86-64-v4, 2 threads"; complete after `load`.
  virtual std::string description() const = 0;
  virtual Result<std::unique_ptr<DeviceMemory>> allocate(size_t bytes, MemoryUse use) = 0;
  /// Whether copies of parameters that entries keep from call to call are of use: `Bindings::panels` is null if not.
  virtual bool keepsPanels() const { return true; }
  /// Whether kernels read inputs and write outputs where the host has them; else each call copies them.
  virtual bool sharesHostMemory() const { return true; }
  /// Loads the kernels of `artifact` and prepares every entry point; `execute` takes the position of the entry in the
  /// artifact's plan. The artifact must outlive the device.
  virtual Status load(const Artifact &artifact) = 0;
  /// Runs all steps of an entry and waits for them. Allocates nothing once every shape has been seen.
  virtual Status execute(size_t entry, const Bindings &bindings) = 0;

  /// Starts (and resets) or ends the collection of times per family.
  virtual void profile(bool on) = 0;
  virtual std::vector<FamilyTime> profileResult() const = 0;
  /// Floating-point operations of products since the last `profile(true)`.
  virtual double profiledFlops() const = 0;
};

} // namespace bifocal
#endif
