// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/ArenaPlaces.h"

#include "dialect/bifocal/BifocalOps.h"
#include "passes/Remarks.h"

using namespace mlir;

namespace bifocal {
namespace {

/// "layer_norm mean": the op, and which of its results where it has several.
std::string describeResult(OpResult result) {
  Operation *op = result.getOwner();
  std::string text = op->getName().stripDialect().str();
  if (auto naming = dyn_cast<OpAsmOpInterface>(op); naming && op->getNumResults() > 1)
    naming.getAsmResultNames([&](Value value, StringRef name) {
      if (value == result)
        text += (" " + name).str();
    });
  return text;
}

/// What `kernel` writes to its buffer at `position`: arguments come first, then results, states and scratch.
std::optional<std::string> writtenBy(plan::KernelOp kernel, size_t position) {
  if (!kernel)
    return std::nullopt;
  Operation *op = &kernel.getBody().front().front();
  if (position < op->getNumOperands())
    return std::nullopt;
  const size_t result = position - op->getNumOperands();
  if (result >= op->getNumResults())
    return ("scratch of " + op->getName().stripDialect()).str();
  // A map is made of ops, of which one made this result.
  if (auto map = dyn_cast<MapOp>(op))
    if (auto inner = dyn_cast<OpResult>(map.getBody().front().getTerminator()->getOperand(result)))
      return describeResult(inner);
  return describeResult(op->getResult(result));
}

std::optional<std::string> writtenBy(plan::KernelOp kernel, OperandRange buffers, Value buffer) {
  for (auto [position, other] : llvm::enumerate(buffers))
    if (plan::wholeOf(other) == plan::wholeOf(buffer))
      if (std::optional<std::string> content = writtenBy(kernel, position))
        return content;
  return std::nullopt;
}

std::optional<std::string> writtenBy(Operation *step, Value buffer) {
  auto kernel = [&](FlatSymbolRefAttr name) {
    return SymbolTable::lookupNearestSymbolFrom<plan::KernelOp>(step, name);
  };
  if (auto launch = dyn_cast<plan::LaunchOp>(step))
    return writtenBy(kernel(launch.getKernelAttr()), launch.getBuffers(), buffer);
  if (auto copy = dyn_cast<plan::CopyOp>(step); copy && copy.getTo() == buffer)
    return "copy";
  auto gemm = dyn_cast<plan::GemmOp>(step);
  if (!gemm)
    return std::nullopt;
  // An epilogue that works in place leaves its result, not the product.
  if (gemm.getEpilogue())
    if (auto content = writtenBy(kernel(gemm.getEpilogueAttr()), gemm.getEpilogueBuffers(), buffer))
      return content;
  if (plan::wholeOf(gemm.getC()) == plan::wholeOf(buffer))
    return "product";
  if (gemm.getWorkspace() == buffer)
    return "packed matrix";
  return std::nullopt;
}

/// What is in `buffer`: the first step says that does more than to fill it.
std::string contentOf(plan::BufferOp buffer) {
  std::optional<std::string> first;
  buffer->getParentOp()->walk<WalkOrder::PreOrder>([&](Operation *step) {
    if (llvm::any_of(step->getOperands(), [&](Value operand) { return plan::wholeOf(operand) == buffer; }))
      first = writtenBy(step, buffer.getBuffer());
    return first ? WalkResult::interrupt() : WalkResult::advance();
  });
  return first.value_or("buffer");
}

} // namespace

std::vector<ArenaPlace> arenaPlaces(plan::EntryOp entry) {
  const MemoryPlan memory(entry);
  // The plan counts its buffers as steps.
  std::vector<unsigned> numbers;
  unsigned steps = 0;
  for (Operation &op : entry.getBody().front())
    numbers.push_back(isa<plan::BufferOp, plan::ViewOp>(op) ? steps : steps++);
  std::vector<ArenaPlace> places;
  for (auto &[op, life] : memory.lifetimes()) {
    auto buffer = cast<plan::BufferOp>(op);
    ArenaPlace place;
    place.holds = contentOf(buffer);
    // The kernel may be shared and come from another layer; the buffer knows its own.
    if (auto name = buffer->getLoc()->findInstanceOf<NameLoc>())
      place.layer = name.getName().str();
    place.location = describeLocation(buffer.getLoc());
    place.dtype = buffer.getDtype().str();
    place.sizeClass = buffer.getClassIndex();
    place.offset = buffer.getOffset(), place.size = static_cast<int64_t>(buffer.getSize());
    place.life = {numbers[life.first], numbers[life.last], life.product};
    places.push_back(std::move(place));
  }
  return places;
}

} // namespace bifocal
