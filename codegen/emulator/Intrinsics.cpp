// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Barriers and asynchronous copies, and the search among all families.
#include "codegen/emulator/Intrinsics.h"

#include <algorithm>

namespace bifocal::emulator {

template <typename T> static T pointer(uint64_t word) { return reinterpret_cast<T>(static_cast<uintptr_t>(word)); }

static void barrierAll(Machine &machine, const uint64_t *, uint64_t *, uint32_t site) { machine.barrier(0, 0, site); }

static void barrierNamed(Machine &machine, const uint64_t *operands, uint64_t *, uint32_t site) {
  machine.barrier(static_cast<uint32_t>(operands[0]), 0, site);
}

static void barrierCounted(Machine &machine, const uint64_t *operands, uint64_t *, uint32_t site) {
  machine.barrier(static_cast<uint32_t>(operands[0]), static_cast<uint32_t>(operands[1]), site);
}

template <uint32_t bytes> static void copy(Machine &machine, const uint64_t *operands, uint64_t *, uint32_t site) {
  machine.copyAsync({pointer<char *>(operands[0]), pointer<const char *>(operands[1]), bytes, bytes, site});
}

template <uint32_t bytes> static void copyPart(Machine &machine, const uint64_t *operands, uint64_t *, uint32_t site) {
  machine.copyAsync({pointer<char *>(operands[0]), pointer<const char *>(operands[1]), bytes,
                     static_cast<uint32_t>(operands[2]), site});
}

static void copySized(Machine &machine, const uint64_t *operands, uint64_t *, uint32_t site) {
  machine.copyAsync({pointer<char *>(operands[0]), pointer<const char *>(operands[1]),
                     static_cast<uint32_t>(operands[2]), static_cast<uint32_t>(operands[3]), site});
}

static void commit(Machine &machine, const uint64_t *, uint64_t *, uint32_t) { machine.commitCopies(); }

static void waitGroup(Machine &machine, const uint64_t *operands, uint64_t *, uint32_t) {
  machine.waitForCopies(static_cast<uint32_t>(operands[0]), false);
}

static void waitAll(Machine &machine, const uint64_t *, uint64_t *, uint32_t) { machine.waitForCopies(0, true); }

/// Fibers run one after the other, so memory is always seen in order; what a fence is for is checked as a race.
static void fence(Machine &, const uint64_t *, uint64_t *, uint32_t) {}

static constexpr IntrinsicEntry table[] = {
    {"barrier0", barrierAll},
    {"barrier.n", barrierNamed},
    {"barrier", barrierCounted},
    {"barrier.sync", barrierNamed},
    {"barrier.sync.cnt", barrierCounted},
    {"cp.async.ca.shared.global.4", copy<4>},
    {"cp.async.ca.shared.global.8", copy<8>},
    {"cp.async.ca.shared.global.16", copy<16>},
    {"cp.async.cg.shared.global.16", copy<16>},
    {"cp.async.ca.shared.global.4.s", copyPart<4>},
    {"cp.async.ca.shared.global.8.s", copyPart<8>},
    {"cp.async.ca.shared.global.16.s", copyPart<16>},
    {"cp.async.cg.shared.global.16.s", copyPart<16>},
    {"cp.async.commit.group", commit},
    {"cp.async.wait.group", waitGroup},
    {"cp.async.wait.all", waitAll},
    {"membar.cta", fence},
    {"membar.gl", fence},
    {"membar.sys", fence},
};

Handler findIn(std::span<const IntrinsicEntry> table, std::string_view name) {
  auto entry =
      std::find_if(table.begin(), table.end(), [&](const IntrinsicEntry &known) { return known.name == name; });
  return entry == table.end() ? nullptr : entry->handler;
}

Handler findIntrinsic(std::string_view name) {
  if (Handler handler = findIn(table, name))
    return handler;
  if (Handler handler = findCollective(name))
    return handler;
  return findMatrixIntrinsic(name);
}

Handler findAssembly(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ';' || text.back() == ' '))
    text.remove_suffix(1);
  if (text == "cp.async.cg.shared.global [$0], [$1], $2, $3" || text == "cp.async.ca.shared.global [$0], [$1], $2, $3")
    return copySized;
  return nullptr;
}

} // namespace bifocal::emulator
