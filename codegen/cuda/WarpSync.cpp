// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cuda/WarpSync.h"

#include "dialect/tile/TileOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace bifocal {

SmallVector<WarpSync::Access, 3> WarpSync::accessesOf(Operation &op) {
  SmallVector<Access, 3> accesses;
  auto found = [&](Value root, Type type, bool isVector, bool writes) {
    Access access{.root = root, .element = getElementTypeOrSelf(type)};
    if (isVector)
      access.kind = writes ? VectorWritten : VectorRead;
    else
      access.kind = writes ? ScalarWritten : ScalarRead;
    while (auto gep = access.root.getDefiningOp<LLVM::GEPOp>())
      access.root = gep.getBase();
    access.isBuffer = access.root.getDefiningOp<LLVM::LoadOp>() != nullptr;
    accesses.push_back(access);
  };
  // The lanes of a tile lie elsewhere than those of a vector at the same place.
  llvm::TypeSwitch<Operation *>(&op)
      .Case([&](LLVM::LoadOp load) { found(load.getAddr(), load.getType(), isa<VectorType>(load.getType()), false); })
      .Case([&](LLVM::StoreOp store) {
        Type type = store.getValue().getType();
        found(store.getAddr(), type, isa<VectorType>(type), true);
      })
      .Case([&](LLVM::MaskedLoadOp load) { found(load.getData(), load.getRes().getType(), true, false); })
      // A lane reads what another thread wrote.
      .Case([&](LLVM::masked_gather gather) { found(gather.getPtrs(), gather.getRes().getType(), false, false); })
      .Case([&](LLVM::MaskedStoreOp store) { found(store.getData(), store.getValue().getType(), true, true); })
      .Case([&](tile::LoadOp load) { found(load.getBase(), load.getRows().getType(), false, false); })
      .Case([&](tile::LoadFourOp load) { found(load.getBase(), load.getTopLeft().getType(), false, false); })
      .Case([&](tile::StoreOp store) { found(store.getBase(), store.getRows().getType(), false, true); })
      .Case([&](tile::CopyOp copy) {
        // Elements of 16 bits, of either kind.
        found(copy.getSource(), IntegerType::get(op.getContext(), 16), false, false);
        found(copy.getSource(), Float16Type::get(op.getContext()), false, false);
        found(copy.getTarget(), IntegerType::get(op.getContext(), 16), false, true);
      });
  return accesses;
}

WarpSync::WarpSync(func::FuncOp function) {
  llvm::DenseSet<Value> read;
  llvm::MapVector<Value, unsigned> written;
  function.walk([&](Operation *op) {
    for (const Access &access : accessesOf(*op))
      if (access.kind == VectorWritten || access.kind == ScalarWritten)
        ++written[access.root];
      else
        read.insert(access.root);
  });
  for (auto [root, stores] : written)
    if (read.contains(root) || stores > 1 || root.getDefiningOp<LLVM::AllocaOp>())
      ordered.insert(root);
}

bool WarpSync::conflicts(const Access &access) const {
  bool writes = access.kind == VectorWritten || access.kind == ScalarWritten;
  constexpr unsigned anyWrite = VectorWritten | ScalarWritten;
  if (unsigned before = pending.roots.lookup(access.root))
    if (writes || (before & anyWrite))
      return true;
  unsigned before = access.isBuffer ? pending.buffers.lookup(access.element) : 0;
  switch (access.kind) {
  case VectorRead:
    return before & ScalarWritten;
  case VectorWritten:
    return before & (ScalarRead | ScalarWritten);
  case ScalarRead:
    return before & anyWrite;
  default:
    return before != 0;
  }
}

void WarpSync::add(const Access &access) {
  if (ordered.contains(access.root))
    pending.roots[access.root] |= access.kind;
  if (access.isBuffer)
    pending.buffers[access.element] |= access.kind;
}

bool WarpSync::needsSync(Operation &op) {
  const SmallVector<Access, 3> accesses = accessesOf(op);
  const bool needed = llvm::any_of(accesses, [&](const Access &access) { return conflicts(access); });
  if (needed)
    clear();
  for (const Access &access : accesses)
    add(access);
  return needed;
}

void WarpSync::enterLoop(Operation &loop) {
  loop.walk([&](Operation *op) {
    for (const Access &access : accessesOf(*op))
      add(access);
  });
}

void WarpSync::merge(const State &other) {
  for (auto [root, what] : other.roots)
    pending.roots[root] |= what;
  for (auto [element, what] : other.buffers)
    pending.buffers[element] |= what;
}

} // namespace bifocal
