// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a machine checks when memory is accessed: bounds, alignment, content, and the order of accesses by threads.
#include "codegen/emulator/Machine.h"

#include <cstring>
#include <fmt/format.h>

namespace bifocal::emulator {

static const char *verb(Machine::AccessKind kind) {
  switch (kind) {
  case Machine::AccessKind::Read:
    return "reads";
  case Machine::AccessKind::Write:
    return "writes";
  case Machine::AccessKind::Atomic:
    return "updates";
  }
  return "accesses";
}

void Machine::access(const char *address, uint32_t bytes, AccessKind kind, uint32_t alignment, uint32_t site) {
  current->site = site;
  accessAs(*current, address, bytes, kind, alignment);
}

bool Machine::accessAs(Thread &thread, const char *address, uint32_t bytes, AccessKind kind, uint32_t alignment) {
  Region *region = memory.find(address, bytes);
  if (!region) {
    if (fibers.owns(thread.id, address, bytes))
      return true;
    fail(FindingKind::OutOfBounds, thread,
         fmt::format("{} {} bytes at {}", verb(kind), bytes, memory.describe(address)));
    return false;
  }
  if (region->space == Space::Constant && kind != AccessKind::Read) {
    fail(FindingKind::OutOfBounds, thread, fmt::format("writes constant memory at {}", memory.describe(address)));
    return false;
  }
  if (reinterpret_cast<uintptr_t>(address) % alignment) {
    // A GPU faults, and so may the host's code.
    fail(FindingKind::Misaligned, thread,
         fmt::format("{} {} bytes at {}, which is no multiple of {}", verb(kind), bytes, memory.describe(address),
                     alignment));
    return false;
  }
  if (options.sanitize && region->space != Space::Constant)
    region->shadow.visit(static_cast<size_t>(address - region->begin), bytes,
                         [&](Cell &cell) { checkCell(cell, *region, thread, kind, thread.site, address); });
  return true;
}

bool Machine::ordered(const Access &earlier, const Region &region, const Thread &thread) const {
  if (earlier.time < launchTime)
    return true;
  if (region.space == Space::Global && earlier.block != blockIndex)
    return false;
  if (earlier.time < blockTime || earlier.thread == thread.id)
    return true;
  uint32_t warp = earlier.thread / warpSize;
  return earlier.time < (warp == thread.warp() ? time[warp] : known[thread.warp()][warp]);
}

/// Keeps two readers: of different threads, and of different warps if it can.
static void addReader(Cell &cell, const Access &reader) {
  auto warp = [](const Access &access) { return access.thread / warpSize; };
  if (cell.reads[0].thread == reader.thread && cell.reads[0].block == reader.block) {
    cell.reads[0] = reader;
    return;
  }
  bool sameWarp = cell.reads[0].time && warp(cell.reads[0]) == warp(reader) && cell.reads[0].block == reader.block;
  bool keepsOther = cell.reads[1].time == reader.time && warp(cell.reads[1]) != warp(reader);
  if (!sameWarp || !keepsOther)
    cell.reads[1] = cell.reads[0];
  cell.reads[0] = reader;
}

void Machine::checkCell(Cell &cell, const Region &region, const Thread &thread, AccessKind kind, uint32_t site,
                        const char *address) {
  bool atomic = kind == AccessKind::Atomic, writes = kind != AccessKind::Read;
  if (cell.write.time && !(atomic && cell.write.atomic) && !ordered(cell.write, region, thread))
    reportRace(cell.write, true, region, thread, kind, site, address);
  if (writes)
    for (const Access &read : cell.reads)
      if (read.time && !(atomic && read.atomic) && !ordered(read, region, thread)) {
        reportRace(read, false, region, thread, kind, site, address);
        break;
      }
  if (kind != AccessKind::Write && cell.content != Content::Defined) {
    bool flying = cell.content == Content::InFlight;
    report(flying ? FindingKind::CopyInFlight : FindingKind::Uninitialised, thread,
           fmt::format("reads {} at {}",
                       flying ? "what an asynchronous copy may not have brought yet" : "what nobody has written",
                       memory.describe(address)));
    cell.content = Content::Defined;
  }
  Access now{time[thread.warp()], blockIndex, site, static_cast<uint16_t>(thread.id), atomic};
  if (writes) {
    cell.write = now;
    cell.content = Content::Defined;
  } else {
    addReader(cell, now);
  }
}

void Machine::reportRace(const Access &earlier, bool earlierWrites, const Region &region, const Thread &thread,
                         AccessKind kind, uint32_t site, const char *address) {
  bool across = region.space == Space::Global && earlier.block != blockIndex;
  Dim3 block = blockAt(earlier.block);
  std::string message =
      fmt::format("{} {}, which another thread {} with {} between", verb(kind), memory.describe(address),
                  earlierWrites ? "has written" : "has read", across ? "nothing that orders blocks" : "no barrier");
  Place other{across ? block : blockPosition, threads[earlier.thread].position,
              earlier.site < sites.size() ? sites[earlier.site] : Site()};
  findings.add({across ? FindingKind::RaceAcrossBlocks : FindingKind::Race, launch->kernel, std::move(message),
                placeOf(thread, site), std::move(other)});
}

void Machine::copyAsync(const AsyncCopy &copy) {
  Thread &self = *current;
  self.site = copy.site;
  auto unaligned = [&](const char *address) { return reinterpret_cast<uintptr_t>(address) % copy.bytes != 0; };
  if (unaligned(copy.to) || (copy.sourceBytes && unaligned(copy.from)))
    return fail(FindingKind::Misaligned, self,
                fmt::format("copies {} bytes to {}: both sides have to be multiples of {}", copy.bytes,
                            memory.describe(copy.to), copy.bytes));
  if (copy.sourceBytes > copy.bytes)
    return fail(FindingKind::BadArgument, self, fmt::format("copies {} bytes into {}", copy.sourceBytes, copy.bytes));
  if (copy.sourceBytes && !accessAs(self, copy.from, copy.sourceBytes, AccessKind::Read, 1))
    return;
  if (!accessAs(self, copy.to, copy.bytes, AccessKind::Write, 1))
    return;
  Region *region = memory.find(copy.to, copy.bytes);
  if (!region || region->space != Space::Shared)
    return fail(FindingKind::BadArgument, self,
                fmt::format("copies asynchronously to {}, which is not shared memory", memory.describe(copy.to)));
  if (options.copies == CopyTime::Early) {
    land(copy);
    return;
  }
  region->shadow.setContent(static_cast<size_t>(copy.to - region->begin), copy.bytes, Content::InFlight);
  self.open.push_back(copy);
}

void Machine::land(const AsyncCopy &copy) {
  current->site = copy.site;
  if (!accessAs(*current, copy.to, copy.bytes, AccessKind::Write, 1))
    return;
  std::memset(copy.to, 0, copy.bytes);
  std::memcpy(copy.to, copy.from, copy.sourceBytes);
}

void Machine::commitCopies() {
  current->groups.push_back(std::move(current->open));
  current->open.clear();
}

void Machine::waitForCopies(uint32_t pending, bool all) {
  if (all)
    commitCopies();
  while (current->groups.size() > pending) {
    std::vector<AsyncCopy> group = std::move(current->groups.front());
    current->groups.pop_front();
    for (const AsyncCopy &copy : group)
      land(copy);
  }
}

void Machine::floatAtomic(uint32_t site) {
  current->site = site;
  report(FindingKind::FloatAtomic, *current, "adds floats atomically: the order of the sum is not fixed");
}

} // namespace bifocal::emulator
