// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_EMULATOR_MACHINE_H
#define BIFOCAL_CODEGEN_EMULATOR_MACHINE_H

// One multiprocessor: the threads of one block at a time, what they share, and what they are checked for. Kernels reach
// it through the functions at the end, which instrumented code calls.

#include "codegen/emulator/CheckedMemory.h"
#include "codegen/emulator/Fibers.h"
#include "codegen/emulator/Launch.h"

#include <array>
#include <deque>
#include <functional>
#include <random>

namespace bifocal::emulator {

/// An asynchronous copy into shared memory; bytes of `bytes` beyond `sourceBytes` become zero.
struct AsyncCopy {
  char *to;
  const char *from;
  uint32_t bytes, sourceBytes;
  uint32_t site;
};

/// What a lane brings to a collective and takes from it: up to 12 words of operands, up to 8 of results.
struct LaneCall {
  std::array<uint64_t, 12> operands;
  std::array<uint64_t, 8> results;
};

struct Thread {
  enum class State : uint8_t { Ready, AtBarrier, InCollective, Exited };

  uint32_t id = 0;
  Dim3 position;
  State state = State::Ready;
  /// Where it waits.
  uint32_t site = 0;
  /// The barrier it waits at and how many threads that barrier is for (0: all).
  uint32_t barrier = 0, barrierCount = 0;
  /// The collective it waits in: which, and the lanes that take part.
  const void *collective = nullptr;
  uint32_t members = 0;
  LaneCall call;
  /// Copies that no commit has closed, then groups from the oldest on.
  std::vector<AsyncCopy> open;
  std::deque<std::vector<AsyncCopy>> groups;

  uint32_t warp() const { return id / warpSize; }
  uint32_t lane() const { return id % warpSize; }
};

class Machine;
/// Computes a collective for all `members` of a warp, once all of them are there.
using Collective = void (*)(Machine &machine, uint32_t warp, uint32_t members);

class Machine {
public:
  Machine(CheckedMemory &memory, const std::vector<Site> &sites) : memory(memory), sites(sites) {}

  /// Static shared memory of a block: named ranges, each with a margin behind it, then the dynamic part.
  struct SharedVariable {
    std::string name;
    size_t offset, bytes;
  };
  /// `shared` covers all variables; the dynamic part begins at `dynamicOffset`.
  struct SharedLayout {
    std::vector<SharedVariable> variables;
    size_t dynamicOffset = 0;
  };

  /// Runs every block of `launch`; `entry` calls the kernel on its parameters. Ends early at what no thread can
  /// survive.
  std::vector<Finding> run(const Launch &launch, const SharedLayout &layout, const LaunchOptions &options,
                           void (*entry)(void **));

  // What instrumented code calls, on the thread's own stack.
  enum class AccessKind : uint8_t { Read, Write, Atomic };
  void access(const char *address, uint32_t bytes, AccessKind kind, uint32_t alignment, uint32_t site);
  void barrier(uint32_t id, uint32_t count, uint32_t site);
  /// Meets the other lanes of `members`; the results are in the thread's call.
  LaneCall &meet(Collective collective, uint32_t members, uint32_t site);
  void copyAsync(const AsyncCopy &copy);
  void commitCopies();
  /// Waits until at most `pending` groups are under way; `all` takes what no commit has closed too.
  void waitForCopies(uint32_t pending, bool all);
  char *shared() const { return sharedMemory; }
  uint32_t specialRegister(uint32_t index) const;
  Thread &thread() { return *current; }
  void floatAtomic(uint32_t site);

  // For collectives.
  Thread &lane(uint32_t warp, uint32_t index) { return threads[warp * warpSize + index]; }
  /// Whether a warp has no such lane, or it has ended.
  bool isAbsent(uint32_t warp, uint32_t index) const {
    uint32_t id = warp * warpSize + index;
    return id >= threads.size() || threads[id].state == Thread::State::Exited;
  }
  /// An access in the name of another thread of the block; false when it is out of bounds.
  bool accessAs(Thread &thread, const char *address, uint32_t bytes, AccessKind kind, uint32_t alignment);
  /// Orders the memory accesses of a warp's lanes: those before for those behind.
  void orderWarp(uint32_t warp) { ++time[warp]; }
  void report(FindingKind kind, const Thread &thread, std::string message);
  /// Reports, and ends the launch.
  void fail(FindingKind kind, const Thread &thread, std::string message);

  static Machine *active();

private:
  void runBlock();
  void layOutShared();
  /// Lets ready threads run, warp by warp, until they wait; false when none was ready.
  bool runReady();
  /// Opens the barriers that are complete; reports why when nothing can go on.
  bool openBarriers();
  void reportStandstill();
  bool meetingIsComplete(const Thread &thread);
  void suspend(Thread::State state);
  void land(const AsyncCopy &copy);
  void checkCell(Cell &cell, const Region &region, const Thread &thread, AccessKind kind, uint32_t site,
                 const char *address);
  void reportRace(const Access &earlier, bool earlierWrites, const Region &region, const Thread &thread,
                  AccessKind kind, uint32_t site, const char *address);
  bool ordered(const Access &earlier, const Region &region, const Thread &thread) const;
  Place placeOf(const Thread &thread, uint32_t site) const;
  Dim3 blockAt(uint64_t index) const;
  std::vector<uint32_t> ordering(uint32_t count);
  static void threadMain();

  CheckedMemory &memory;
  const std::vector<Site> &sites;
  Fibers fibers;
  Findings findings;
  const Launch *launch = nullptr;
  const SharedLayout *layout = nullptr;
  LaunchOptions options;
  void (*entry)(void **) = nullptr;
  std::mt19937_64 random;

  Dim3 blockPosition;
  uint32_t blockIndex = 0;
  std::vector<Thread> threads;
  Thread *current = nullptr;
  bool failed = false;

  char *sharedMemory = nullptr;
  std::unique_ptr<char, void (*)(void *)> sharedStorage{nullptr, std::free};
  std::vector<Region *> sharedRegions;

  // Time is counted for each warp and grows through launches and blocks. known[a][b]: what warp a has seen of warp b.
  uint32_t launchTime = 1, blockTime = 1;
  std::vector<uint32_t> time;
  std::vector<std::vector<uint32_t>> known;
};

} // namespace bifocal::emulator
#endif
