// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Shuffles, votes and reductions of a warp (PTX ISA 8.5, 9.7.8 and 9.7.12).
#include "codegen/emulator/Intrinsics.h"

#include <algorithm>
#include <fmt/format.h>

namespace bifocal::emulator {

namespace {
enum class Shuffle { Up, Down, Butterfly, Index };
enum class Vote { Ballot, Any, All, Uniform };
enum class Reduction { Add, Minimum, Maximum, MinimumSigned, MaximumSigned, And, Or, Xor };
} // namespace

/// Calls `visit(lane number, its call)` for all members.
template <typename Visit> static void forMembers(Machine &machine, uint32_t warp, uint32_t members, Visit visit) {
  for (uint32_t index = 0; index < warpSize; ++index)
    if (members >> index & 1)
      visit(index, machine.lane(warp, index).call);
}

/// The lane that `lane` reads, and whether it lies in the segment.
template <Shuffle kind> static std::pair<uint32_t, bool> sourceLane(uint32_t lane, uint32_t operand, uint32_t clamp) {
  uint32_t segment = clamp >> 8 & 31, bound = clamp & 31;
  uint32_t most = (lane & segment) | (bound & ~segment), least = lane & segment;
  switch (kind) {
  case Shuffle::Up: {
    int64_t source = int64_t{lane} - (operand & 31);
    return {static_cast<uint32_t>(source), source >= int64_t{most}};
  }
  case Shuffle::Down:
    return {lane + (operand & 31), lane + (operand & 31) <= most};
  case Shuffle::Butterfly:
    return {lane ^ (operand & 31), (lane ^ (operand & 31)) <= most};
  case Shuffle::Index: {
    uint32_t source = least | (operand & 31 & ~segment);
    return {source, source <= most};
  }
  }
}

template <Shuffle kind> static void shuffleWarp(Machine &machine, uint32_t warp, uint32_t members) {
  forMembers(machine, warp, members, [&](uint32_t lane, LaneCall &call) {
    auto [source, inside] =
        sourceLane<kind>(lane, static_cast<uint32_t>(call.operands[1]), static_cast<uint32_t>(call.operands[2]));
    if (!inside)
      source = lane;
    if (!(members >> source & 1))
      machine.report(FindingKind::DivergentCollective, machine.lane(warp, lane),
                     fmt::format("reads lane {}, which does not take part (lanes {:#010x})", source, members));
    call.results = {machine.lane(warp, source & 31).call.operands[0], inside};
  });
}

/// Operands: members, value, lane, clamp and segment mask.
template <Shuffle kind>
static void shuffle(Machine &machine, const uint64_t *operands, uint64_t *results, uint32_t site) {
  machine.thread().call.operands = {operands[1], operands[2], operands[3]};
  LaneCall &call = machine.meet(shuffleWarp<kind>, static_cast<uint32_t>(operands[0]), site);
  results[0] = call.results[0], results[1] = call.results[1];
}

template <Vote kind> static void voteWarp(Machine &machine, uint32_t warp, uint32_t members) {
  uint32_t ballot = 0;
  forMembers(machine, warp, members,
             [&](uint32_t lane, LaneCall &call) { ballot |= static_cast<uint32_t>(call.operands[0] & 1) << lane; });
  uint64_t result = kind == Vote::Ballot ? ballot
                    : kind == Vote::Any  ? ballot != 0
                    : kind == Vote::All  ? ballot == members
                                         : ballot == members || ballot == 0;
  forMembers(machine, warp, members, [&](uint32_t, LaneCall &call) { call.results[0] = result; });
}

/// Operands: members, predicate.
template <Vote kind> static void vote(Machine &machine, const uint64_t *operands, uint64_t *results, uint32_t site) {
  machine.thread().call.operands = {operands[1]};
  results[0] = machine.meet(voteWarp<kind>, static_cast<uint32_t>(operands[0]), site).results[0];
}

static uint32_t combine(Reduction kind, uint32_t a, uint32_t b) {
  auto isLess = [](uint32_t x, uint32_t y) { return static_cast<int32_t>(x) < static_cast<int32_t>(y); };
  switch (kind) {
  case Reduction::Add:
    return a + b;
  case Reduction::Minimum:
    return std::min(a, b);
  case Reduction::Maximum:
    return std::max(a, b);
  case Reduction::MinimumSigned:
    return isLess(b, a) ? b : a;
  case Reduction::MaximumSigned:
    return isLess(a, b) ? b : a;
  case Reduction::And:
    return a & b;
  case Reduction::Or:
    return a | b;
  case Reduction::Xor:
    return a ^ b;
  }
  return 0;
}

template <Reduction kind> static void reduceWarp(Machine &machine, uint32_t warp, uint32_t members) {
  bool first = true;
  uint32_t total = 0;
  forMembers(machine, warp, members, [&](uint32_t, LaneCall &call) {
    uint32_t value = static_cast<uint32_t>(call.operands[0]);
    total = first ? value : combine(kind, total, value);
    first = false;
  });
  forMembers(machine, warp, members, [&](uint32_t, LaneCall &call) { call.results[0] = total; });
}

/// Operands: value, members.
template <Reduction kind>
static void reduce(Machine &machine, const uint64_t *operands, uint64_t *results, uint32_t site) {
  machine.thread().call.operands = {operands[0]};
  results[0] = machine.meet(reduceWarp<kind>, static_cast<uint32_t>(operands[1]), site).results[0];
}

/// Of all collectives this one alone orders memory: PTX promises nothing of the kind for shuffles and votes.
static void syncWarp(Machine &machine, uint32_t warp, uint32_t members) {
  bool whole = true;
  for (uint32_t index = 0; index < warpSize; ++index)
    whole &= (members >> index & 1) || machine.isAbsent(warp, index);
  if (whole)
    machine.orderWarp(warp);
}

static void warpBarrier(Machine &machine, const uint64_t *operands, uint64_t *, uint32_t site) {
  machine.meet(syncWarp, static_cast<uint32_t>(operands[0]), site);
}

static constexpr IntrinsicEntry table[] = {
    {"shfl.sync.up.i32", shuffle<Shuffle::Up>},
    {"shfl.sync.up.f32", shuffle<Shuffle::Up>},
    {"shfl.sync.up.i32p", shuffle<Shuffle::Up>},
    {"shfl.sync.up.f32p", shuffle<Shuffle::Up>},
    {"shfl.sync.down.i32", shuffle<Shuffle::Down>},
    {"shfl.sync.down.f32", shuffle<Shuffle::Down>},
    {"shfl.sync.down.i32p", shuffle<Shuffle::Down>},
    {"shfl.sync.down.f32p", shuffle<Shuffle::Down>},
    {"shfl.sync.bfly.i32", shuffle<Shuffle::Butterfly>},
    {"shfl.sync.bfly.f32", shuffle<Shuffle::Butterfly>},
    {"shfl.sync.bfly.i32p", shuffle<Shuffle::Butterfly>},
    {"shfl.sync.bfly.f32p", shuffle<Shuffle::Butterfly>},
    {"shfl.sync.idx.i32", shuffle<Shuffle::Index>},
    {"shfl.sync.idx.f32", shuffle<Shuffle::Index>},
    {"shfl.sync.idx.i32p", shuffle<Shuffle::Index>},
    {"shfl.sync.idx.f32p", shuffle<Shuffle::Index>},
    {"vote.ballot.sync", vote<Vote::Ballot>},
    {"vote.any.sync", vote<Vote::Any>},
    {"vote.all.sync", vote<Vote::All>},
    {"vote.uni.sync", vote<Vote::Uniform>},
    {"redux.sync.add", reduce<Reduction::Add>},
    {"redux.sync.umin", reduce<Reduction::Minimum>},
    {"redux.sync.umax", reduce<Reduction::Maximum>},
    {"redux.sync.min", reduce<Reduction::MinimumSigned>},
    {"redux.sync.max", reduce<Reduction::MaximumSigned>},
    {"redux.sync.and", reduce<Reduction::And>},
    {"redux.sync.or", reduce<Reduction::Or>},
    {"redux.sync.xor", reduce<Reduction::Xor>},
    {"bar.warp.sync", warpBarrier},
};

Handler findCollective(std::string_view name) { return findIn(table, name); }

} // namespace bifocal::emulator
