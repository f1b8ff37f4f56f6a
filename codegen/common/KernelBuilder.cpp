// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/common/KernelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace bifocal {

KernelBuilder::KernelBuilder(ModuleOp module, Location location, const VectorTarget &target)
    : builder(module.getContext()), loc(location), machine(target), module(module) {
  module.getContext()
      ->loadDialect<arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect, math::MathDialect, scf::SCFDialect,
                    vector::VectorDialect>();
}

void KernelBuilder::stage(StringRef kernel, int64_t index, llvm::function_ref<void(Value)> body, AffineExpr tiles) {
  builder.setInsertionPointToEnd(module.getBody());
  Type pointer = LLVM::LLVMPointerType::get(builder.getContext());
  auto type = builder.getFunctionType({pointer, pointer, i64(), i64()}, {});
  auto function = builder.create<func::FuncOp>(loc, (kernel + "." + Twine(index)).str(), type);
  if (tiles) {
    int64_t last = -1;
    tiles.walk([&](AffineExpr part) {
      if (auto size = dyn_cast<AffineSymbolExpr>(part))
        last = std::max<int64_t>(last, size.getPosition());
    });
    function->setAttr(tilesName, AffineMapAttr::get(AffineMap::get(0, last + 1, tiles)));
  }
  entry = function.addEntryBlock();
  buffers.clear();
  sizes.clear();
  stack = 0;
  builder.setInsertionPointToEnd(entry);
  auto done = builder.create<func::ReturnOp>(loc);
  builder.setInsertionPoint(done);
  loop(entry->getArgument(2), entry->getArgument(3), 1, body);
}

Value KernelBuilder::size(int64_t index) {
  Value &known = sizes[index];
  if (!known) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(entry);
    Value place = builder.create<LLVM::GEPOp>(loc, entry->getArgument(1).getType(), i64(), entry->getArgument(1),
                                              ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(index)});
    known = builder.create<LLVM::LoadOp>(loc, i64(), place, 8);
  }
  return known;
}

Value KernelBuilder::expression(AffineExpr expr) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return index(constant.getValue());
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return size(symbol.getPosition());
  auto binary = cast<AffineBinaryOpExpr>(expr);
  Value lhs = expression(binary.getLHS()), rhs = expression(binary.getRHS());
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return add(lhs, rhs);
  case AffineExprKind::Mul:
    return mul(lhs, rhs);
  case AffineExprKind::Mod:
    return rem(lhs, rhs);
  case AffineExprKind::FloorDiv:
    return div(lhs, rhs);
  default:
    return ceilDiv(lhs, rhs);
  }
}

Type KernelBuilder::i8() { return builder.getI8Type(); }
Type KernelBuilder::i16() { return builder.getI16Type(); }
Type KernelBuilder::i32() { return builder.getI32Type(); }
Type KernelBuilder::i64() { return builder.getI64Type(); }
Type KernelBuilder::f32() { return builder.getF32Type(); }
Type KernelBuilder::f64() { return builder.getF64Type(); }

VectorType KernelBuilder::vectorOf(Type element, int64_t lanes) {
  return VectorType::get({lanes ? lanes : machine.vectorWidth}, element);
}

Type KernelBuilder::typeLike(Type like, Type element) {
  auto vector = dyn_cast<VectorType>(like);
  return vector ? Type(vector.clone(element)) : element;
}

Value KernelBuilder::index(int64_t value) { return constantInt(i64(), value); }

Value KernelBuilder::constant(Type type, double value) {
  Attribute scalar = builder.getFloatAttr(getElementTypeOrSelf(type), value);
  if (auto vector = dyn_cast<VectorType>(type))
    scalar = DenseElementsAttr::get(vector, scalar);
  return builder.create<arith::ConstantOp>(loc, cast<TypedAttr>(scalar));
}

Value KernelBuilder::constantInt(Type type, int64_t value) {
  Attribute scalar = builder.getIntegerAttr(getElementTypeOrSelf(type), value);
  if (auto vector = dyn_cast<VectorType>(type))
    scalar = DenseElementsAttr::get(vector, scalar);
  return builder.create<arith::ConstantOp>(loc, cast<TypedAttr>(scalar));
}

Value KernelBuilder::lanes(Type element, int64_t count, int64_t first) {
  SmallVector<Attribute> values;
  for (int64_t lane = 0; lane < count; ++lane)
    values.push_back(builder.getIntegerAttr(element, first + lane));
  return builder.create<arith::ConstantOp>(loc, DenseElementsAttr::get(vectorOf(element, count), values));
}

static bool isFloat(Value value) { return isa<FloatType>(getElementTypeOrSelf(value.getType())); }

Value KernelBuilder::add(Value a, Value b) {
  return isFloat(a) ? builder.createOrFold<arith::AddFOp>(loc, a, b) : builder.createOrFold<arith::AddIOp>(loc, a, b);
}
Value KernelBuilder::sub(Value a, Value b) {
  return isFloat(a) ? builder.createOrFold<arith::SubFOp>(loc, a, b) : builder.createOrFold<arith::SubIOp>(loc, a, b);
}
Value KernelBuilder::mul(Value a, Value b) {
  return isFloat(a) ? builder.createOrFold<arith::MulFOp>(loc, a, b) : builder.createOrFold<arith::MulIOp>(loc, a, b);
}
// Sizes and indices are not negative, so unsigned division (a shift for powers of two) is enough.
Value KernelBuilder::div(Value a, Value b) {
  return isFloat(a) ? builder.createOrFold<arith::DivFOp>(loc, a, b) : builder.createOrFold<arith::DivUIOp>(loc, a, b);
}
Value KernelBuilder::rem(Value a, Value b) { return builder.createOrFold<arith::RemUIOp>(loc, a, b); }
Value KernelBuilder::ceilDiv(Value a, Value b) { return div(add(a, sub(b, constantInt(b.getType(), 1))), b); }
Value KernelBuilder::min(Value a, Value b) {
  return isFloat(a) ? select(less(a, b), a, b) : builder.createOrFold<arith::MinSIOp>(loc, a, b);
}
// One maxps: it returns its second operand when either is NaN.
Value KernelBuilder::max(Value a, Value b) {
  return isFloat(a) ? select(less(b, a), a, b) : builder.createOrFold<arith::MaxSIOp>(loc, a, b);
}
Value KernelBuilder::fma(Value a, Value b, Value c) { return builder.create<math::FmaOp>(loc, a, b, c); }
Value KernelBuilder::neg(Value a) {
  return isFloat(a) ? builder.createOrFold<arith::NegFOp>(loc, a) : sub(constantInt(a.getType(), 0), a);
}
Value KernelBuilder::sqrt(Value a) { return builder.create<math::SqrtOp>(loc, a); }
Value KernelBuilder::bitAnd(Value a, Value b) { return builder.createOrFold<arith::AndIOp>(loc, a, b); }
Value KernelBuilder::bitOr(Value a, Value b) { return builder.createOrFold<arith::OrIOp>(loc, a, b); }
Value KernelBuilder::bitXor(Value a, Value b) { return builder.createOrFold<arith::XOrIOp>(loc, a, b); }
Value KernelBuilder::shiftLeft(Value a, int64_t bits) {
  return builder.createOrFold<arith::ShLIOp>(loc, a, constantInt(a.getType(), bits));
}
Value KernelBuilder::shiftRight(Value a, int64_t bits) {
  return builder.createOrFold<arith::ShRUIOp>(loc, a, constantInt(a.getType(), bits));
}

Value KernelBuilder::shiftRightSigned(Value a, int64_t bits) {
  return builder.createOrFold<arith::ShRSIOp>(loc, a, constantInt(a.getType(), bits));
}

Value KernelBuilder::bitcast(Value a, Type type) {
  if (a.getType() == type)
    return a;
  auto from = dyn_cast<VectorType>(a.getType());
  auto to = dyn_cast<VectorType>(type);
  if (from && to && from.getShape() != to.getShape())
    return builder.create<vector::BitCastOp>(loc, to, a);
  return builder.create<arith::BitcastOp>(loc, type, a);
}

Value KernelBuilder::convert(Value a, Type type) {
  type = typeLike(a.getType(), getElementTypeOrSelf(type));
  if (a.getType() == type)
    return a;
  unsigned from = getElementTypeOrSelf(a.getType()).getIntOrFloatBitWidth();
  unsigned to = getElementTypeOrSelf(type).getIntOrFloatBitWidth();
  bool toFloat = isa<FloatType>(getElementTypeOrSelf(type));
  if (isFloat(a) && toFloat)
    return from < to ? builder.create<arith::ExtFOp>(loc, type, a).getResult()
                     : builder.create<arith::TruncFOp>(loc, type, a).getResult();
  if (isFloat(a))
    return builder.create<arith::FPToSIOp>(loc, type, a);
  // A single bit is a truth value: 0 or 1.
  if (toFloat)
    return from == 1 ? builder.create<arith::UIToFPOp>(loc, type, a).getResult()
                     : builder.create<arith::SIToFPOp>(loc, type, a).getResult();
  if (from > to)
    return builder.create<arith::TruncIOp>(loc, type, a);
  return from == 1 ? builder.create<arith::ExtUIOp>(loc, type, a).getResult()
                   : builder.create<arith::ExtSIOp>(loc, type, a).getResult();
}

Value KernelBuilder::less(Value a, Value b) {
  return isFloat(a) ? builder.createOrFold<arith::CmpFOp>(loc, arith::CmpFPredicate::OLT, a, b)
                    : builder.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::slt, a, b);
}
Value KernelBuilder::lessEqual(Value a, Value b) {
  return isFloat(a) ? builder.createOrFold<arith::CmpFOp>(loc, arith::CmpFPredicate::OLE, a, b)
                    : builder.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::sle, a, b);
}
Value KernelBuilder::equal(Value a, Value b) {
  return isFloat(a) ? builder.createOrFold<arith::CmpFOp>(loc, arith::CmpFPredicate::OEQ, a, b)
                    : builder.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::eq, a, b);
}
Value KernelBuilder::notEqual(Value a, Value b) {
  return isFloat(a) ? builder.createOrFold<arith::CmpFOp>(loc, arith::CmpFPredicate::UNE, a, b)
                    : builder.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::ne, a, b);
}
Value KernelBuilder::lessUnsigned(Value a, Value b) {
  return builder.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::ult, a, b);
}
Value KernelBuilder::select(Value condition, Value yes, Value no) {
  return builder.createOrFold<arith::SelectOp>(loc, condition, yes, no);
}

Value KernelBuilder::splat(Value scalar, int64_t lanes) {
  if (isa<VectorType>(scalar.getType()))
    return scalar;
  return builder.createOrFold<vector::SplatOp>(loc, scalar, vectorOf(scalar.getType(), lanes));
}
Value KernelBuilder::extract(Value vector, int64_t lane) {
  return builder.createOrFold<vector::ExtractOp>(loc, vector, lane);
}
Value KernelBuilder::insert(Value scalar, Value vector, int64_t lane) {
  return builder.createOrFold<vector::InsertOp>(loc, scalar, vector, lane);
}
Value KernelBuilder::shuffle(Value a, Value b, ArrayRef<int64_t> lanes) {
  return builder.create<vector::ShuffleOp>(loc, a, b, lanes);
}

std::pair<Value, Value> KernelBuilder::deinterleave(Value vector) {
  auto op = builder.create<vector::DeinterleaveOp>(loc, vector);
  return {op.getRes1(), op.getRes2()};
}

Value KernelBuilder::concatenate(ArrayRef<Value> vectors) {
  if (vectors.size() == 1)
    return vectors[0];
  return shuffle(vectors[0], vectors[1],
                 llvm::to_vector(llvm::seq<int64_t>(2 * cast<VectorType>(vectors[0].getType()).getNumElements())));
}

/// A warp keeps its lanes: each half gets the result, in the same order of operations.
static Value reduceByExchange(KernelBuilder &kernel, Value vector, llvm::function_ref<Value(Value, Value)> combine) {
  int64_t lanes = cast<VectorType>(vector.getType()).getNumElements();
  for (; lanes > kernel.target().lanesOfWarp; lanes /= 2) {
    auto [even, odd] = kernel.deinterleave(vector);
    vector = combine(even, odd);
  }
  for (int64_t half = lanes / 2; half > 0; half /= 2) {
    SmallVector<int64_t> other;
    for (int64_t lane = 0; lane < lanes; ++lane)
      other.push_back(lane ^ half);
    vector = combine(vector, kernel.shuffle(vector, vector, other));
  }
  return kernel.extract(vector, 0);
}

static Value reduceByHalves(KernelBuilder &kernel, Value vector, llvm::function_ref<Value(Value, Value)> combine) {
  if (kernel.target().isWarp)
    return reduceByExchange(kernel, vector, combine);
  for (int64_t lanes = cast<VectorType>(vector.getType()).getNumElements(); lanes > 1; lanes /= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t lane = 0; lane < lanes / 2; ++lane) {
      low.push_back(lane);
      high.push_back(lanes / 2 + lane);
    }
    vector = combine(kernel.shuffle(vector, vector, low), kernel.shuffle(vector, vector, high));
  }
  return kernel.extract(vector, 0);
}

Value KernelBuilder::horizontalSum(Value vector) {
  return reduceByHalves(*this, vector, [&](Value a, Value b) { return add(a, b); });
}
Value KernelBuilder::horizontalMax(Value vector) {
  return reduceByHalves(*this, vector, [&](Value a, Value b) { return max(a, b); });
}

Value KernelBuilder::tailMask(Value count, int64_t lanes) {
  int64_t wide = lanes ? lanes : machine.vectorWidth;
  Value bound = splat(convert(min(count, index(wide)), i32()), wide);
  return less(this->lanes(i32(), wide), bound);
}

Value KernelBuilder::tailMask(int64_t count, int64_t lanes) {
  SmallVector<bool> bits;
  for (int64_t lane = 0; lane < (lanes ? lanes : machine.vectorWidth); ++lane)
    bits.push_back(lane < count);
  auto type = vectorOf(builder.getI1Type(), lanes);
  return builder.create<arith::ConstantOp>(loc, DenseElementsAttr::get(type, bits));
}

void KernelBuilder::loop(Value begin, Value end, Value step, llvm::function_ref<void(Value)> body) {
  auto op = builder.create<scf::ForOp>(loc, begin, end, step);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(op.getBody()->getTerminator());
  body(op.getInductionVar());
}

KernelBuilder::Values KernelBuilder::loop(Value begin, Value end, int64_t step, ValueRange initial,
                                          llvm::function_ref<Values(Value, ValueRange)> body) {
  auto op = builder.create<scf::ForOp>(loc, begin, end, index(step), initial);
  OpBuilder::InsertionGuard guard(builder);
  if (initial.empty())
    builder.setInsertionPoint(op.getBody()->getTerminator());
  else
    builder.setInsertionPointToEnd(op.getBody());
  Values next = body(op.getInductionVar(), op.getRegionIterArgs());
  if (!initial.empty())
    builder.create<scf::YieldOp>(loc, next);
  return Values(op.getResults());
}

void KernelBuilder::when(Value condition, llvm::function_ref<void()> yes, llvm::function_ref<void()> no) {
  auto op = builder.create<scf::IfOp>(loc, condition, /*withElseRegion=*/bool(no));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(op.thenBlock()->getTerminator());
  yes();
  if (no) {
    builder.setInsertionPoint(op.elseBlock()->getTerminator());
    no();
  }
}

KernelBuilder::Values KernelBuilder::choose(Value condition, llvm::function_ref<Values()> yes,
                                            llvm::function_ref<Values()> no) {
  // The first branch tells the types of the results, so both are written before the op that holds them.
  OperationState state(loc, scf::IfOp::getOperationName());
  state.addOperands(condition);
  OpBuilder::InsertPoint place = builder.saveInsertionPoint();
  Region *yesRegion = state.addRegion(), *noRegion = state.addRegion();
  SmallVector<Type> types;
  builder.createBlock(yesRegion);
  Values results = yes();
  for (Value result : results)
    types.push_back(result.getType());
  builder.create<scf::YieldOp>(loc, results);
  builder.createBlock(noRegion);
  builder.create<scf::YieldOp>(loc, no());
  state.addTypes(types);
  builder.restoreInsertionPoint(place);
  return Values(builder.create(state)->getResults());
}

} // namespace bifocal
