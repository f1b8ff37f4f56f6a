// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_EMULATOR_FIBERS_H
#define BIFOCAL_CODEGEN_EMULATOR_FIBERS_H

#include <cstddef>
#include <cstdint>

namespace bifocal::emulator {

/// Stacks of the threads of a block, and the switch between them and the scheduler, which runs on the caller's own
/// stack. One switch is some ten instructions: no system call, no signal mask.
class Fibers {
public:
  /// Bytes that a thread may use, above a page that faults.
  static constexpr size_t stackBytes = size_t{1} << 20;

  Fibers() = default;
  Fibers(const Fibers &) = delete;
  Fibers &operator=(const Fibers &) = delete;
  ~Fibers();

  /// Room for `count` fibers; false when the system has no memory. Fibers that have been started are forgotten.
  bool reserve(uint32_t count);
  /// Makes fiber `index` begin with `entry()` when it is resumed next. `entry` must not return.
  void start(uint32_t index, void (*entry)());
  /// The first thing that `entry` calls.
  void started();
  /// Runs fiber `index` until it suspends itself.
  void resume(uint32_t index);
  /// Called on fiber `index`: back to where it was resumed.
  void suspend(uint32_t index);
  /// Whether [address, address + bytes) lies on the stack of fiber `index`.
  bool owns(uint32_t index, const void *address, size_t bytes) const;

private:
  char *stack(uint32_t index) const;

  char *memory = nullptr;
  size_t mapped = 0;
  uint32_t capacity = 0;
  void **saved = nullptr;
  void *scheduler = nullptr;
  /// For AddressSanitizer, which has to know on which stack a program runs.
  void *fakeStack = nullptr;
  const void *schedulerStack = nullptr;
  size_t schedulerBytes = 0;
};

} // namespace bifocal::emulator
#endif
