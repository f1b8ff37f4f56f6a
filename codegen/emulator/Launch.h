// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_EMULATOR_LAUNCH_H
#define BIFOCAL_CODEGEN_EMULATOR_LAUNCH_H

// What a launch on the emulated GPU is told, and what it reports.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bifocal::emulator {

/// Threads of a warp.
constexpr uint32_t warpSize = 32;

struct Dim3 {
  uint32_t x = 1, y = 1, z = 1;
  uint64_t count() const { return uint64_t{x} * y * z; }
  bool operator==(const Dim3 &) const = default;
};

/// In which order ready warps, the lanes of a warp and the blocks of a grid run.
enum class Order : uint8_t { Forward, Backward, Shuffled };

/// When the bytes of an asynchronous copy move: as late as the program allows (at the wait that names its group) or as
/// early (where it is issued). A correct kernel gives the same bits both ways.
enum class CopyTime : uint8_t { Late, Early };

struct LaunchOptions {
  Order order = Order::Forward;
  /// For `Order::Shuffled`.
  uint64_t seed = 1;
  CopyTime copies = CopyTime::Late;
  /// Races and uninitialised reads; bounds and alignment are always checked.
  bool sanitize = true;
};

struct Launch {
  std::string kernel;
  Dim3 grid, block;
  /// Bytes of dynamic shared memory for each block.
  uint32_t dynamicShared = 0;
  /// One pointer to each parameter's value, as for cuLaunchKernel.
  std::vector<void *> parameters;
};

/// A place in a kernel.
struct Site {
  std::string function;
  /// The line of the module's text (`Emulator::text()`), from 1, and the instruction.
  unsigned line = 0;
  std::string instruction;
  /// Where the op comes from, e.g. `spec.toml:12:3`; empty when the IR does not say.
  std::string location;
};

/// A thread of a launch, at a place.
struct Place {
  Dim3 block, thread;
  Site site;
};

enum class FindingKind : uint8_t {
  OutOfBounds,
  Misaligned,
  Uninitialised,
  CopyInFlight,
  Race,
  RaceAcrossBlocks,
  DivergentBarrier,
  DivergentCollective,
  FloatAtomic,
  BadArgument,
};

/// "out-of-bounds", "race", ...: stable names for reports.
const char *name(FindingKind kind);

/// Something that a GPU would only show as a wrong number, a hang or a fault.
struct Finding {
  FindingKind kind;
  std::string kernel;
  /// What happened, in one sentence without the place.
  std::string message;
  Place place;
  /// The other access of a race, or the place where the others wait.
  std::optional<Place> other;
  /// How often the same thing happened at the same place.
  uint64_t count = 1;
};

/// Several lines for people: kernel, block, thread, line of IR, line of the spec.
std::string format(const Finding &finding);

/// Collects the findings of a launch: one for each kind and place, with a count.
class Findings {
public:
  void add(Finding finding);
  bool empty() const { return list.empty(); }
  std::vector<Finding> take() { return std::move(list); }

private:
  std::vector<Finding> list;
};

} // namespace bifocal::emulator
#endif
