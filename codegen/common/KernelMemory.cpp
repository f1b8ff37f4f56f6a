// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Arrays of the kernel builder: buffers of the launch, memory of the stack, reading and writing.

#include "codegen/common/KernelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace bifocal {

/// What an element takes up, in memory and as the alignment of a vector.
static unsigned bytesOf(Type element) { return std::max(1u, element.getIntOrFloatBitWidth() / 8); }

Type KernelBuilder::storedType(Type element) { return element.isBF16() ? i16() : element; }

Array KernelBuilder::buffer(int64_t index, Type element) {
  Value &known = buffers[index];
  if (!known) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(entry);
    Type pointer = LLVM::LLVMPointerType::get(builder.getContext());
    Value slot = builder.create<LLVM::GEPOp>(loc, pointer, pointer, entry->getArgument(0),
                                             ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(index)});
    known = builder.create<LLVM::LoadOp>(loc, pointer, slot, 8);
  }
  return {known, element};
}

Array KernelBuilder::stackArray(Type element, int64_t count) {
  constexpr int64_t alignment = 64;
  stack += llvm::alignTo(count * bytesOf(element), alignment);
  mostStack = std::max(mostStack, stack);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(entry);
  Value elements = builder.create<LLVM::ConstantOp>(loc, i64(), builder.getI64IntegerAttr(count));
  Type pointer = LLVM::LLVMPointerType::get(builder.getContext());
  return {builder.create<LLVM::AllocaOp>(loc, pointer, element, elements, alignment), element};
}

LogicalResult KernelBuilder::verifyStack() {
  // Threads that OpenMP starts have as little as 2 MiB.
  constexpr int64_t limit = 1 << 20;
  if (mostStack <= limit)
    return success();
  return emitError(loc) << "expects at most " << limit << " bytes of stack for a tile on " << machine.level
                        << ", but needs " << mostStack;
}

Value KernelBuilder::place(const Array &array, Value index) {
  return builder.create<LLVM::GEPOp>(loc, array.base.getType(), storedType(array.element), array.base,
                                     ArrayRef<LLVM::GEPArg>{index});
}

Array KernelBuilder::from(const Array &array, Value index) { return {place(array, index), array.element}; }

Value KernelBuilder::widen(Value stored, Type element) {
  Type wide = typeLike(stored.getType(), f32());
  if (element.isF16())
    return builder.create<arith::ExtFOp>(loc, wide, stored);
  if (!element.isBF16())
    return stored;
  // bf16 is the upper half of an f32.
  Value bits = builder.create<arith::ExtUIOp>(loc, typeLike(wide, i32()), stored);
  return bitcast(shiftLeft(bits, 16), wide);
}

Value KernelBuilder::round(Value value, Type element) {
  Type narrow = typeLike(value.getType(), storedType(element));
  if (element.isF16())
    return builder.create<arith::TruncFOp>(loc, narrow, value);
  if (!element.isBF16())
    return value;
  Type integers = typeLike(value.getType(), i32());
  Value bits = bitcast(value, integers), one = constantInt(integers, 1);
  // Half of what is cut off, one less where the last bit that stays is even: a tie goes to the even neighbour. The
  // carry runs into the exponent, as it should. A NaN stays one, and quiet.
  Value half = add(constantInt(integers, 0x7FFF), bitAnd(shiftRight(bits, 16), one));
  Value rounded = shiftRight(add(bits, half), 16);
  Value quiet = bitOr(shiftRight(bits, 16), constantInt(integers, 0x40));
  return builder.create<arith::TruncIOp>(loc, narrow, select(notEqual(value, value), quiet, rounded));
}

void KernelBuilder::prefetch(const Array &array, Value index, bool toWrite, int32_t locality) {
  constexpr int32_t data = 1;
  builder.create<LLVM::Prefetch>(loc, place(array, index), toWrite ? 1 : 0, locality, data);
}

Value KernelBuilder::load(const Array &array, Value index) {
  Type stored = storedType(array.element);
  return widen(builder.create<LLVM::LoadOp>(loc, stored, place(array, index), bytesOf(stored)), array.element);
}

void KernelBuilder::store(Value scalar, const Array &array, Value index) {
  builder.create<LLVM::StoreOp>(loc, round(scalar, array.element), place(array, index), bytesOf(array.element));
}

Value KernelBuilder::loadVector(const Array &array, Value index, Value mask, int64_t lanes) {
  auto type = vectorOf(storedType(array.element), lanes);
  unsigned alignment = bytesOf(array.element);
  if (!mask)
    return widen(builder.create<LLVM::LoadOp>(loc, type, place(array, index), alignment), array.element);
  Value zero = builder.create<arith::ConstantOp>(loc, cast<TypedAttr>(builder.getZeroAttr(type)));
  Value loaded = builder.create<LLVM::MaskedLoadOp>(loc, type, place(array, index), mask, ValueRange{zero},
                                                    builder.getI32IntegerAttr(alignment));
  return widen(loaded, array.element);
}

Value KernelBuilder::gather(const Array &array, Value indices, Value mask) {
  const auto lanes = static_cast<unsigned>(cast<VectorType>(indices.getType()).getNumElements());
  auto type = vectorOf(storedType(array.element), lanes);
  Type pointers = LLVM::getVectorType(array.base.getType(), lanes);
  Value places = builder.create<LLVM::GEPOp>(loc, pointers, storedType(array.element), array.base,
                                             ArrayRef<LLVM::GEPArg>{indices});
  Value zero = builder.create<arith::ConstantOp>(loc, cast<TypedAttr>(builder.getZeroAttr(type)));
  if (!mask)
    mask = builder.create<arith::ConstantOp>(loc, DenseElementsAttr::get(vectorOf(builder.getI1Type(), lanes), true));
  Value loaded = builder.create<LLVM::masked_gather>(loc, type, places, mask, ValueRange{zero},
                                                     builder.getI32IntegerAttr(bytesOf(array.element)));
  return widen(loaded, array.element);
}

void KernelBuilder::storeVector(Value vector, const Array &array, Value index, Value mask) {
  Value rounded = round(vector, array.element);
  unsigned alignment = bytesOf(array.element);
  if (mask)
    builder.create<LLVM::MaskedStoreOp>(loc, rounded, place(array, index), mask, builder.getI32IntegerAttr(alignment));
  else
    builder.create<LLVM::StoreOp>(loc, rounded, place(array, index), alignment);
}

} // namespace bifocal
