// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/RowGroups.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include <queue>

using namespace mlir;

namespace bifocal {

bool isRowOp(Operation *op) {
  if (!isa<FusibleOpInterface>(op) || op->getNumResults() == 0 || normGroups(op) > 1)
    return false;
  int64_t rank = cast<RankedTensorType>(op->getOperand(0).getType()).getRank();
  return rank >= (isa<EmbeddingOp>(op) ? 1 : 2);
}

bool isRowOperand(OpOperand &operand) {
  unsigned index = operand.getOperandNumber();
  return llvm::TypeSwitch<Operation *, bool>(operand.getOwner())
      .Case<EmbeddingOp, AddBiasOp, DropoutOp, LayerNormOp, RmsNormOp>([&](auto) { return index == 0; })
      .Case<LayerNormGradOp, RmsNormGradOp>([&](auto) { return index < 2; })
      .Default([](Operation *) { return true; });
}

/// Whether a reader in the same pass over the rows can have `result`: sums over rows are complete only at the end.
static bool isRowResult(OpResult result) {
  auto fusible = cast<FusibleOpInterface>(result.getOwner());
  if (!fusible.hasColumnSums())
    return true;
  return isa<LayerNormGradOp, RmsNormGradOp>(result.getOwner()) && result.getResultNumber() == 0;
}

RowGroups::RowGroups(Block &block, const Remarks &remarks) : block(block), remarks(remarks) {
  for (Operation &op : block.without_terminator()) {
    positions[&op] = ops.size();
    groupOf.push_back(ops.size());
    Group &group = groups.emplace_back();
    group.members.push_back(ops.size());
    if (auto fusible = dyn_cast<FusibleOpInterface>(op); fusible && fusible.isRowReduction())
      group.reduction = &op;
    ops.push_back(&op);
  }
  link();
}

void RowGroups::link() {
  successors.resize(ops.size());
  std::optional<unsigned> effect;
  for (auto [index, op] : llvm::enumerate(ops)) {
    for (Operation *user : op->getUsers())
      if (auto place = positions.find(user); place != positions.end())
        successors[index].push_back(place->second);
    // Ops with effects keep their order; a reference to a parameter reads what an update writes.
    if (!isPure(op) || isa<ParamRefOp>(op)) {
      if (effect)
        successors[*effect].push_back(index);
      effect = index;
    }
  }
}

Operation *RowGroups::findDetour(unsigned a, unsigned b) const {
  auto inside = [&](unsigned op) { return groupOf[op] == a || groupOf[op] == b; };
  SmallVector<bool> visited(ops.size());
  SmallVector<unsigned> work;
  auto leave = [&](unsigned op) {
    for (unsigned next : successors[op])
      if (!inside(next) && !visited[groups[groupOf[next]].members[0]]) {
        visited[groups[groupOf[next]].members[0]] = true;
        work.push_back(groupOf[next]);
      }
  };
  for (unsigned group : {a, b})
    for (unsigned op : groups[group].members)
      leave(op);
  while (!work.empty()) {
    const Group &group = groups[work.pop_back_val()];
    for (unsigned op : group.members) {
      if (llvm::any_of(successors[op], inside))
        return ops[op];
      leave(op);
    }
  }
  return nullptr;
}

std::string RowGroups::whyNot(unsigned into, unsigned from) const {
  if (groups[into].reduction && groups[from].reduction)
    return "second row reduction: " + describeOp(groups[from].reduction);
  for (unsigned group : {into, from})
    for (unsigned member : groups[group].members)
      for (OpOperand &operand : ops[member]->getOpOperands()) {
        auto place = positions.find(operand.get().getDefiningOp());
        if (place == positions.end() || (groupOf[place->second] != into && groupOf[place->second] != from))
          continue;
        if (!isRowOperand(operand) || !isRowResult(cast<OpResult>(operand.get())))
          return "all rows of " + describeOp(ops[place->second]) + " are needed first";
      }
  if (Operation *detour = findDetour(into, from))
    return "a map of both would depend on itself through " + describeOp(detour);
  return "";
}

void RowGroups::join(unsigned op, unsigned producer) {
  unsigned into = groupOf[op], from = groupOf[producer];
  if (into == from)
    return;
  if (std::string reason = whyNot(into, from); !reason.empty()) {
    remarks.kept(ops[op], reason);
    return;
  }
  Group &target = groups[into];
  for (unsigned member : groups[from].members)
    groupOf[member] = into;
  target.members.append(groups[from].members);
  llvm::sort(target.members);
  if (!target.reduction)
    target.reduction = groups[from].reduction;
  groups[from].members.clear();
}

void RowGroups::build() {
  for (unsigned index = 0; index < ops.size(); ++index) {
    if (!isRowOp(ops[index]))
      continue;
    SmallVector<unsigned> producers;
    for (OpOperand &operand : ops[index]->getOpOperands()) {
      Operation *producer = operand.get().getDefiningOp();
      if (producer && isRowOperand(operand) && isRowOp(producer))
        producers.push_back(positions.lookup(producer));
    }
    llvm::sort(producers, std::greater<>());
    for (unsigned producer : producers)
      join(index, producer);
  }
}

SmallVector<SmallVector<Operation *>> RowGroups::order() const {
  SmallVector<unsigned> waiting(ops.size());
  for (unsigned op = 0; op < ops.size(); ++op)
    for (unsigned next : successors[op])
      if (groupOf[op] != groupOf[next])
        ++waiting[groupOf[next]];
  using Entry = std::pair<unsigned, unsigned>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> ready;
  auto push = [&](unsigned group) { ready.push({groups[group].members.back(), group}); };
  for (unsigned group = 0; group < groups.size(); ++group)
    if (!groups[group].members.empty() && waiting[group] == 0)
      push(group);
  SmallVector<SmallVector<Operation *>> result;
  while (!ready.empty()) {
    unsigned group = ready.top().second;
    ready.pop();
    auto &unit = result.emplace_back();
    for (unsigned op : groups[group].members) {
      unit.push_back(ops[op]);
      for (unsigned next : successors[op])
        if (groupOf[next] != group && --waiting[groupOf[next]] == 0)
          push(groupOf[next]);
    }
  }
  return result;
}

} // namespace bifocal
