// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/MemoryPlan.h"

#include "passes/InPlace.h"
#include "runtime/core/ArtifactFormat.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace bifocal {

/// The buffer of the arena that `value` is, or is a view of.
static plan::BufferOp arenaBuffer(Value value) {
  plan::BufferOp buffer = plan::wholeOf(value);
  return buffer && buffer.getRegion() == plan::Region::arena ? buffer : plan::BufferOp();
}

MemoryPlan::MemoryPlan(plan::EntryOp entry) : entry(entry) {
  SmallVector<std::pair<unsigned, Operation *>> steps;
  for (auto [number, op] : llvm::enumerate(entry.getBody().front()))
    if (!isa<plan::BufferOp, plan::ViewOp>(op))
      steps.push_back({number, &op});
  for (auto [number, step] : steps)
    step->walk([&, number = number](Operation *inner) {
      for (Value operand : inner->getOperands())
        if (auto buffer = arenaBuffer(operand)) {
          auto place = lives.insert({buffer, {number, number}}).first;
          place->second.last = number;
        }
    });
  for (auto [number, step] : steps)
    if (auto slabs = dyn_cast<plan::SlabsOp>(step))
      findTurns(slabs);
  auto module = entry->getParentOfType<ModuleOp>();
  SymbolTable symbols(module);
  for (auto [number, step] : steps) {
    if (auto launch = dyn_cast<plan::LaunchOp>(step))
      findSharing(step, number, symbols.lookup<plan::KernelOp>(launch.getKernel()), launch.getBuffers(), {});
    auto gemm = dyn_cast<plan::GemmOp>(step);
    // Other rows of the product read a and b while the epilogue writes.
    if (gemm && gemm.getEpilogue())
      findSharing(step, number, symbols.lookup<plan::KernelOp>(*gemm.getEpilogue()), gemm.getEpilogueBuffers(),
                  gemm.getMask() ? ValueRange{gemm.getA(), gemm.getB(), gemm.getMask()}
                                 : ValueRange{gemm.getA(), gemm.getB()});
  }
}

/// What a workspace holds counts only while its product runs, so products of a loop may take turns with one place.
void MemoryPlan::findTurns(plan::SlabsOp slabs) {
  for (auto [number, gemm] : llvm::enumerate(slabs.getBody().getOps<plan::GemmOp>()))
    if (plan::BufferOp workspace = gemm.getWorkspace() ? arenaBuffer(gemm.getWorkspace()) : plan::BufferOp();
        workspace && workspace->hasOneUse())
      lives[workspace].product = number + 1;
}

void MemoryPlan::findSharing(Operation *step, unsigned number, plan::KernelOp kernel, ValueRange buffers,
                             ValueRange kept) {
  llvm::DenseSet<Operation *> taken;
  for (InPlacePair pair : kernel ? inPlacePairs(kernel) : SmallVector<InPlacePair>()) {
    auto input = arenaBuffer(buffers[pair.input]), result = arenaBuffer(buffers[pair.result]);
    // What is beside a view, other steps write or read.
    bool views = plan::rowStrideOf(buffers[pair.input]) != 0 || plan::rowStrideOf(buffers[pair.result]) != 0;
    if (!input || !result || input == result || views || shared.contains(result) || taken.contains(input))
      continue;
    auto isInput = [&](Value buffer) { return plan::wholeOf(buffer) == input; };
    bool alone = llvm::count_if(buffers, isInput) == 1 && llvm::none_of(kept, isInput);
    bool equal = input.getClassIndex() == result.getClassIndex() && input.getSize() == result.getSize();
    if (!alone || !equal || lives[input].last != number || lives[result].first != number)
      continue;
    taken.insert(input);
    shared[result] = input;
  }
}

plan::BufferOp MemoryPlan::overwritten(plan::BufferOp buffer) const {
  return dyn_cast_or_null<plan::BufferOp>(shared.lookup(buffer));
}

namespace {

/// Buffers that share one place, one after the other.
struct Group {
  SmallVector<plan::BufferOp> buffers;
  Lifetime life;
  int64_t size, offset = -1;
};

/// The offset of the smallest gap between `placed` that `group` fits into, else behind all of them.
int64_t bestFit(const Group &group, ArrayRef<const Group *> placed) {
  SmallVector<const Group *> others;
  for (const Group *other : placed)
    if (other->life.meets(group.life))
      others.push_back(other);
  llvm::stable_sort(others, [](const Group *a, const Group *b) { return a->offset < b->offset; });
  int64_t end = 0, best = -1, bestGap = 0;
  for (const Group *other : others) {
    int64_t gap = other->offset - end;
    if (gap >= group.size && (best < 0 || gap < bestGap)) {
      best = end;
      bestGap = gap;
    }
    end = std::max<int64_t>(end, llvm::alignTo(other->offset + other->size, format::bufferAlignment));
  }
  return best < 0 ? end : best;
}

} // namespace

LogicalResult MemoryPlan::assign() {
  SmallVector<int64_t> peak(entry.getClasses().size(), 0);
  SmallVector<SmallVector<Group>> classes(peak.size());
  llvm::DenseMap<Operation *, std::pair<size_t, size_t>> groupOf;
  for (auto &[op, life] : lives) {
    auto buffer = cast<plan::BufferOp>(op);
    size_t index = buffer.getClassIndex();
    if (index >= classes.size())
      return buffer.emitOpError("expects a class below ") << classes.size() << ", but got " << index;
    if (plan::BufferOp input = overwritten(buffer); input && groupOf.contains(input)) {
      auto place = groupOf[input];
      Group &group = classes[place.first][place.second];
      group.buffers.push_back(buffer);
      group.life.last = std::max(group.life.last, life.last);
      groupOf[op] = place;
      continue;
    }
    groupOf[op] = {index, classes[index].size()};
    classes[index].push_back({{buffer}, life, static_cast<int64_t>(buffer.getSize())});
  }
  for (auto [index, groups] : llvm::enumerate(classes)) {
    SmallVector<Group *> order;
    for (Group &group : groups)
      order.push_back(&group);
    llvm::stable_sort(order, [](Group *a, Group *b) { return a->size > b->size; });
    SmallVector<const Group *> placed;
    for (Group *group : order) {
      group->offset = bestFit(*group, placed);
      placed.push_back(group);
      peak[index] = std::max<int64_t>(peak[index], llvm::alignTo(group->offset + group->size, format::bufferAlignment));
      for (plan::BufferOp buffer : group->buffers)
        buffer.setOffset(group->offset);
    }
  }
  entry.setPeak(peak);
  return success();
}

LogicalResult MemoryPlan::verify() {
  SmallVector<std::pair<plan::BufferOp, Lifetime>> all;
  for (auto &[op, life] : lives)
    all.push_back({cast<plan::BufferOp>(op), life});
  for (auto [index, item] : llvm::enumerate(all)) {
    auto [buffer, life] = item;
    int64_t begin = buffer.getOffset(), end = begin + static_cast<int64_t>(buffer.getSize());
    if (buffer.getClassIndex() >= entry.getPeak().size() || begin < 0 || begin % format::bufferAlignment ||
        end > entry.getPeak()[buffer.getClassIndex()])
      return buffer.emitOpError("expects an aligned place within the peak of its class, but got [")
             << begin << ", " << end << ")";
    for (auto [other, otherLife] : ArrayRef(all).take_front(index)) {
      int64_t otherBegin = other.getOffset(), otherEnd = otherBegin + static_cast<int64_t>(other.getSize());
      if (other.getClassIndex() != buffer.getClassIndex() || !life.meets(otherLife) || begin >= otherEnd ||
          otherBegin >= end)
        continue;
      bool inPlace = begin == otherBegin && (overwritten(buffer) == other || overwritten(other) == buffer);
      if (!inPlace)
        return (buffer.emitOpError("expects a place of its own while it lives, but got [")
                << begin << ", " << end << ")")
                   .attachNote(other.getLoc())
               << "of this buffer, which lives at the same time";
    }
  }
  return success();
}

} // namespace bifocal
