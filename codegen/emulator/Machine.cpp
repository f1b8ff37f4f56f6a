// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/emulator/Machine.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <numeric>

namespace bifocal::emulator {

static thread_local Machine *activeMachine = nullptr;

Machine *Machine::active() { return activeMachine; }

std::vector<Finding> Machine::run(const Launch &what, const SharedLayout &variables, const LaunchOptions &how,
                                  void (*kernel)(void **)) {
  launch = &what, layout = &variables, options = how, entry = kernel;
  findings = {}, failed = false;
  random.seed(options.seed);
  uint64_t perBlock = what.block.count();
  threads = std::vector<Thread>(perBlock);
  uint32_t warps = static_cast<uint32_t>((perBlock + warpSize - 1) / warpSize);
  launchTime = ++blockTime;
  time.assign(warps, blockTime);
  known.assign(warps, std::vector<uint32_t>(warps, blockTime));
  if (!fibers.reserve(static_cast<uint32_t>(perBlock))) {
    fail(FindingKind::BadArgument, threads.front(), "no memory for the stacks of a block's threads");
    return findings.take();
  }
  layOutShared();
  Machine *outer = std::exchange(activeMachine, this);
  for (uint32_t index : ordering(static_cast<uint32_t>(what.grid.count()))) {
    blockIndex = index;
    blockPosition = blockAt(index);
    runBlock();
    if (failed)
      break;
  }
  activeMachine = outer;
  for (Region *region : sharedRegions)
    memory.removeRegion(region->begin);
  sharedRegions.clear();
  return findings.take();
}

void Machine::layOutShared() {
  size_t bytes = layout->dynamicOffset + launch->dynamicShared + warpSize;
  sharedStorage.reset(static_cast<char *>(std::aligned_alloc(1024, (bytes + 1023) / 1024 * 1024)));
  sharedMemory = sharedStorage.get();
  auto add = [&](const std::string &name, size_t offset, size_t count) {
    sharedRegions.push_back(
        &memory.addRegion(name, sharedMemory + offset, count, Space::Shared, Content::Uninitialised));
  };
  for (const SharedVariable &variable : layout->variables)
    add(variable.name, variable.offset, variable.bytes);
  if (launch->dynamicShared)
    add("dynamic shared memory", layout->dynamicOffset, launch->dynamicShared);
}

Dim3 Machine::blockAt(uint64_t index) const {
  const Dim3 &grid = launch->grid;
  return {static_cast<uint32_t>(index % grid.x), static_cast<uint32_t>(index / grid.x % grid.y),
          static_cast<uint32_t>(index / grid.x / grid.y)};
}

std::vector<uint32_t> Machine::ordering(uint32_t count) {
  std::vector<uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  if (options.order == Order::Backward)
    std::reverse(order.begin(), order.end());
  if (options.order == Order::Shuffled)
    for (uint32_t left = count; left > 1; --left)
      std::swap(order[left - 1], order[random() % left]);
  return order;
}

void Machine::runBlock() {
  ++blockTime;
  std::fill(time.begin(), time.end(), blockTime);
  for (std::vector<uint32_t> &row : known)
    std::fill(row.begin(), row.end(), blockTime);
  for (Region *region : sharedRegions) {
    std::memset(region->begin, 0xff, region->bytes);
    region->shadow.reset();
  }
  const Dim3 &dims = launch->block;
  for (uint32_t id = 0; id < threads.size(); ++id) {
    threads[id] = Thread();
    threads[id].id = id;
    threads[id].position = {id % dims.x, id / dims.x % dims.y, id / dims.x / dims.y};
    fibers.start(id, threadMain);
  }
  while (runReady() || (!failed && openBarriers())) {
  }
  current = nullptr;
  blockTime = std::max(blockTime, *std::max_element(time.begin(), time.end()));
}

void Machine::threadMain() {
  Machine &machine = *activeMachine;
  machine.fibers.started();
  machine.entry(const_cast<void **>(machine.launch->parameters.data()));
  for (;;)
    machine.suspend(Thread::State::Exited);
}

void Machine::suspend(Thread::State state) {
  Thread *self = current;
  self->state = state;
  fibers.suspend(self->id);
  current = self;
}

bool Machine::runReady() {
  bool any = false;
  uint32_t warps = static_cast<uint32_t>(time.size());
  for (uint32_t warp : ordering(warps))
    for (uint32_t index : ordering(warpSize)) {
      uint32_t id = warp * warpSize + index;
      if (id >= threads.size() || threads[id].state != Thread::State::Ready)
        continue;
      any = true;
      current = &threads[id];
      fibers.resume(id);
      if (failed)
        return false;
    }
  return any;
}

bool Machine::openBarriers() {
  std::array<uint32_t, 16> waiting{}, expected{};
  uint32_t exited = 0;
  for (const Thread &thread : threads) {
    exited += thread.state == Thread::State::Exited;
    if (thread.state == Thread::State::AtBarrier) {
      ++waiting[thread.barrier];
      expected[thread.barrier] = thread.barrierCount ? thread.barrierCount : static_cast<uint32_t>(threads.size());
    }
  }
  if (exited == threads.size())
    return false;
  bool opened = false;
  for (uint32_t id = 0; id < waiting.size(); ++id) {
    if (!waiting[id] || waiting[id] < expected[id])
      continue;
    opened = true;
    std::vector<uint32_t> met(time.size());
    const Thread *first = nullptr;
    for (Thread &thread : threads) {
      if (thread.state != Thread::State::AtBarrier || thread.barrier != id)
        continue;
      if (!first)
        first = &thread;
      if (thread.site != first->site) {
        Finding finding{FindingKind::DivergentBarrier, launch->kernel, "threads meet at different barriers",
                        placeOf(thread, thread.site), placeOf(*first, first->site)};
        findings.add(std::move(finding));
      }
      met[thread.warp()] = 1;
      thread.state = Thread::State::Ready;
    }
    std::vector<uint32_t> all(time.size(), 0);
    for (uint32_t warp = 0; warp < met.size(); ++warp)
      if (met[warp]) {
        known[warp][warp] = ++time[warp];
        for (uint32_t other = 0; other < all.size(); ++other)
          all[other] = std::max(all[other], known[warp][other]);
      }
    for (uint32_t warp = 0; warp < met.size(); ++warp)
      if (met[warp])
        known[warp] = all;
  }
  if (!opened)
    reportStandstill();
  return opened;
}

void Machine::reportStandstill() {
  const Thread *atBarrier = nullptr, *inCollective = nullptr, *exited = nullptr;
  uint32_t barriers = 0, collectives = 0, exits = 0;
  for (const Thread &thread : threads) {
    if (thread.state == Thread::State::AtBarrier)
      ++barriers, atBarrier = atBarrier ? atBarrier : &thread;
    if (thread.state == Thread::State::InCollective)
      ++collectives, inCollective = inCollective ? inCollective : &thread;
    if (thread.state == Thread::State::Exited)
      ++exits, exited = exited ? exited : &thread;
  }
  failed = true;
  Finding finding{FindingKind::DivergentBarrier, launch->kernel, {}, {}, std::nullopt};
  if (inCollective) {
    const Thread *odd = nullptr;
    for (const Thread &thread : threads)
      if (thread.warp() == inCollective->warp() && (inCollective->members >> thread.lane() & 1) &&
          (thread.state != Thread::State::InCollective || thread.site != inCollective->site ||
           thread.members != inCollective->members))
        odd = &thread;
    finding.kind = FindingKind::DivergentCollective;
    finding.message = fmt::format("a collective for lanes {:#010x} of a warp waits for lanes that are elsewhere "
                                  "({} threads wait in collectives, {} at barriers, {} have exited)",
                                  inCollective->members, collectives, barriers, exits);
    finding.place = placeOf(*inCollective, inCollective->site);
    if (odd)
      finding.other = placeOf(*odd, odd->site);
  } else {
    finding.message = fmt::format("{} threads wait at a barrier that {} threads never reach", barriers, exits);
    finding.place = placeOf(*atBarrier, atBarrier->site);
    if (exited)
      finding.other = placeOf(*exited, exited->site);
  }
  findings.add(std::move(finding));
}

void Machine::barrier(uint32_t id, uint32_t count, uint32_t site) {
  if (id >= 16 || count % warpSize)
    return fail(FindingKind::BadArgument, *current,
                fmt::format("barrier {} for {} threads: ids are below 16, counts are multiples of 32", id, count));
  current->barrier = id, current->barrierCount = count, current->site = site;
  suspend(Thread::State::AtBarrier);
}

bool Machine::meetingIsComplete(const Thread &thread) {
  for (uint32_t index = 0; index < warpSize; ++index) {
    if (!(thread.members >> index & 1))
      continue;
    uint32_t id = thread.warp() * warpSize + index;
    if (id >= threads.size())
      return false;
    const Thread &other = threads[id];
    if (&other != &thread && (other.state != Thread::State::InCollective || other.collective != thread.collective ||
                              other.members != thread.members || other.site != thread.site))
      return false;
  }
  return true;
}

LaneCall &Machine::meet(Collective collective, uint32_t members, uint32_t site) {
  Thread &self = *current;
  self.collective = reinterpret_cast<const void *>(collective);
  self.members = members, self.site = site;
  if (!(members >> self.lane() & 1)) {
    fail(FindingKind::DivergentCollective, self,
         fmt::format("lane {} calls a collective for lanes {:#010x}, which leave it out", self.lane(), members));
    return self.call;
  }
  if (meetingIsComplete(self)) {
    for (uint32_t index = 0; index < warpSize; ++index)
      if (members >> index & 1)
        lane(self.warp(), index).state = Thread::State::Ready;
    collective(*this, self.warp(), members);
    if (!failed)
      return self.call;
  }
  suspend(failed ? Thread::State::Exited : Thread::State::InCollective);
  return self.call;
}

uint32_t Machine::specialRegister(uint32_t index) const {
  const Dim3 dims[] = {current->position, launch->block, blockPosition, launch->grid};
  if (index < 12) {
    const Dim3 &dim = dims[index / 3];
    return index % 3 == 0 ? dim.x : index % 3 == 1 ? dim.y : dim.z;
  }
  return index == 12 ? current->lane() : warpSize;
}

Place Machine::placeOf(const Thread &thread, uint32_t site) const {
  return {blockPosition, thread.position, site < sites.size() ? sites[site] : Site()};
}

void Machine::report(FindingKind kind, const Thread &thread, std::string message) {
  findings.add({kind, launch->kernel, std::move(message), placeOf(thread, thread.site), std::nullopt});
}

void Machine::fail(FindingKind kind, const Thread &thread, std::string message) {
  report(kind, thread, std::move(message));
  failed = true;
  if (current)
    suspend(Thread::State::Exited);
}

} // namespace bifocal::emulator
