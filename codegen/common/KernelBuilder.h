// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_COMMON_KERNELBUILDER_H
#define BIFOCAL_CODEGEN_COMMON_KERNELBUILDER_H

#include "codegen/common/VectorTarget.h"
#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include <utility>

namespace bifocal {

/// Elements of one type in memory. Kernels compute floats in f32: what is read from an array of bf16 or f16 is widened,
/// what is written is rounded to the nearest, ties to even. A null base stands for an array that is not there.
struct Array {
  mlir::Value base;
  mlir::Type element;

  explicit operator bool() const { return static_cast<bool>(base); }
};

/// Writes the functions of kernels: `func.func @"<kernel>.<stage>"(%buffers, %sizes, %begin, %end)`. Every integer is
/// an i64, and every vector has one dimension. Functions that take scalars take vectors of the same element type as
/// well.
class KernelBuilder {
public:
  using Value = mlir::Value;
  using Values = llvm::SmallVector<mlir::Value>;

  KernelBuilder(mlir::ModuleOp module, mlir::Location location, const VectorTarget &target);

  /// Writes one stage; `body` is called once, inside the loop over the tiles [begin, end). A kernel that cuts its work
  /// otherwise than `scheduleKernel` says how many `tiles` it has, an expression over the launch's sizes.
  void stage(llvm::StringRef kernel, int64_t index, llvm::function_ref<void(Value tile)> body,
             mlir::AffineExpr tiles = {});
  /// The attribute of a stage's function that has them, a map from the launch's sizes.
  static constexpr llvm::StringLiteral tilesName = "bifocal.tiles";

  const VectorTarget &target() const { return machine; }
  /// Calls `body`, which writes vectors of `lanes` lanes of f32: on a warp a multiple of its threads, which then have
  /// neighbouring ones.
  void withVectors(int64_t lanes, llvm::function_ref<void()> body) {
    const int64_t before = std::exchange(machine.vectorWidth, lanes);
    body();
    machine.vectorWidth = before;
  }
  /// Lanes of an f32 vector of the target.
  int64_t width() const { return machine.vectorWidth; }
  mlir::OpBuilder &raw() { return builder; }
  mlir::Location location() const { return loc; }

  // The launch. Loaded once, at the entry of the function.
  Array buffer(int64_t index, mlir::Type element);
  Value size(int64_t index);
  /// The value of an expression over the launch's sizes (symbol i is size i).
  Value expression(mlir::AffineExpr expr);
  /// Uninitialised memory of the stack with room for `count` elements, aligned to 64 bytes.
  Array stackArray(mlir::Type element, int64_t count);
  /// The same with elements of f32.
  Array stackArray(int64_t count) { return stackArray(f32(), count); }
  /// Reports a stage whose tiles need more of the stack than a thread surely has.
  mlir::LogicalResult verifyStack();

  // Types and constants.
  mlir::Type i8();
  mlir::Type i16();
  mlir::Type i32();
  mlir::Type i64();
  mlir::Type f32();
  mlir::Type f64();
  /// A vector of `lanes` elements; as many as an f32 vector of the target has when `lanes` is 0.
  mlir::VectorType vectorOf(mlir::Type element, int64_t lanes = 0);
  Value index(int64_t value);
  /// A constant of a scalar or vector type (integer or float).
  Value constant(mlir::Type type, double value);
  Value constantInt(mlir::Type type, int64_t value);
  Value constantF32(double value) { return constant(f32(), value); }
  /// A vector of f32 with all lanes `value`.
  Value constantVector(double value) { return constant(vectorOf(f32()), value); }
  /// The lanes' numbers 0, 1, ... plus `first`, as a vector of `element`.
  Value lanes(mlir::Type element, int64_t count, int64_t first = 0);

  // Arithmetic on integers and floats, folded where both sides are constants.
  Value add(Value a, Value b);
  Value sub(Value a, Value b);
  Value mul(Value a, Value b);
  Value div(Value a, Value b);
  Value rem(Value a, Value b);
  Value ceilDiv(Value a, Value b);
  Value min(Value a, Value b);
  /// For floats: b where a is NaN, and NaN where b is.
  Value max(Value a, Value b);
  Value fma(Value a, Value b, Value c);
  Value neg(Value a);
  Value sqrt(Value a);
  Value exp(Value x);
  /// e^min(x, 0), and 0 below 2^-126.5: half as many instructions as `exp`, for what a softmax weighs.
  Value expNonPositive(Value x);
  Value log(Value x);
  Value sigmoid(Value x);
  Value tanh(Value x);
  Value add(Value a, int64_t b) { return add(a, index(b)); }
  Value mul(Value a, int64_t b) { return mul(a, index(b)); }
  Value bitAnd(Value a, Value b);
  Value bitOr(Value a, Value b);
  Value bitXor(Value a, Value b);
  Value shiftLeft(Value a, int64_t bits);
  /// Shifts zeros in.
  Value shiftRight(Value a, int64_t bits);
  /// Copies of the sign in.
  Value shiftRightSigned(Value a, int64_t bits);
  Value bitcast(Value a, mlir::Type type);
  /// Between integer widths (signed), integers and floats, and float widths; scalars or vectors.
  Value convert(Value a, mlir::Type type);
  /// The nearest i32 of an f32 that has one, ties to even.
  Value nearest(Value a);
  /// a[2i] * b[2i] + a[2i + 1] * b[2i + 1] in i32, of vectors of i16 that are twice as long as those of f32.
  Value addPairs(Value a, Value b);
  // Dot products, on targets that have them; a lane of i32 holds neighbouring elements, the first in its last bits.
  /// sum + a[2i + 1] * b[2i + 1], rounded, + a[2i] * b[2i], rounded, of bf16 and a sum of f32. What is below 2^-126
  /// counts as 0.
  Value addBf16Pairs(Value sum, Value a, Value b);
  /// sum + a[4i] * b[4i] + ... + a[4i + 3] * b[4i + 3] in i32, of bytes: those of a unsigned, those of b signed.
  Value addByteQuads(Value sum, Value a, Value b);
  /// The bits of a vector of f32 rounded to bf16, as i16, in one instruction; what is below 2^-126 becomes 0.
  Value bf16Bits(Value vector);

  // Comparisons (ordered for floats, signed for integers) and choices.
  Value less(Value a, Value b);
  Value lessEqual(Value a, Value b);
  Value equal(Value a, Value b);
  Value notEqual(Value a, Value b);
  Value lessUnsigned(Value a, Value b);
  Value select(Value condition, Value yes, Value no);

  // Vectors.
  Value splat(Value scalar, int64_t lanes = 0);
  Value extract(Value vector, int64_t lane);
  Value insert(Value scalar, Value vector, int64_t lane);
  /// The lanes of a followed by b, picked by `lanes`.
  Value shuffle(Value a, Value b, llvm::ArrayRef<int64_t> lanes);
  /// The lanes with even and with odd numbers.
  std::pair<Value, Value> deinterleave(Value vector);
  /// The lanes of one vector, or of two, one behind the other.
  Value concatenate(llvm::ArrayRef<Value> vectors);
  /// Sum and maximum of the lanes, by halves: the order is fixed.
  Value horizontalSum(Value vector);
  Value horizontalMax(Value vector);
  /// The mask of the lanes below `count` (an i64 or a constant).
  Value tailMask(Value count, int64_t lanes = 0);
  Value tailMask(int64_t count, int64_t lanes = 0);

  // Memory. Indices count elements. A null mask means all lanes; masked-off lanes are 0.
  /// The elements of `array` from `index` on.
  Array from(const Array &array, Value index);
  Value load(const Array &array, Value index);
  /// An integer, as an i64.
  Value loadIndex(const Array &array, Value index) { return convert(load(array, index), i64()); }
  void store(Value scalar, const Array &array, Value index);
  /// As many lanes as an f32 vector of the target has when `lanes` is 0.
  Value loadVector(const Array &array, Value index, Value mask = nullptr, int64_t lanes = 0);
  void storeVector(Value vector, const Array &array, Value index, Value mask = nullptr);
  /// array[indices[lane]] of each lane, `indices` being a vector of i32.
  Value gather(const Array &array, Value indices, Value mask = nullptr);
  /// Asks for the line of the cache that the element is in, for all levels (locality 3), or from the second (2) or the
  /// third on (1). Any address may be named.
  void prefetch(const Array &array, Value index, bool toWrite = false, int32_t locality = 3);
  /// What a store to an array of `element` and a load from it would give: an f32 that `element` holds.
  Value rounded(Value value, mlir::Type element) { return widen(round(value, element), element); }
  /// The type that the machine reads and writes for elements of an array. Not every machine has instructions for bf16,
  /// so it goes as an integer.
  mlir::Type storedType(mlir::Type element);
  /// From what lies in memory to f32, and back: scalars or vectors. Other types than bf16 and f16 stay what they are.
  Value widen(Value stored, mlir::Type element);
  Value round(Value value, mlir::Type element);

  // Control flow.
  void loop(Value begin, Value end, Value step, llvm::function_ref<void(Value)> body);
  void loop(Value begin, Value end, int64_t step, llvm::function_ref<void(Value)> body) {
    loop(begin, end, index(step), body);
  }
  /// `body` returns the next values of the loop-carried `initial`.
  Values loop(Value begin, Value end, int64_t step, mlir::ValueRange initial,
              llvm::function_ref<Values(Value, mlir::ValueRange)> body);
  void when(Value condition, llvm::function_ref<void()> yes, llvm::function_ref<void()> no = nullptr);
  Values choose(Value condition, llvm::function_ref<Values()> yes, llvm::function_ref<Values()> no);
  /// Calls `body(column, mask, lane)` for the vectors that cover [0, count): an unrolled loop, single vectors, a masked
  /// tail (mask null elsewhere). `unrolled` vectors share one iteration; `lane` tells them apart, so that each may have
  /// own sums.
  void columns(int64_t count, int64_t unrolled, llvm::function_ref<void(Value column, Value mask, int64_t lane)> body);
  /// The same with loop-carried values: `initial` holds `unrolled` groups of equal size, one per lane; `body` updates
  /// its group.
  Values columns(int64_t count, int64_t unrolled, mlir::ValueRange initial,
                 llvm::function_ref<Values(Value column, Value mask, mlir::ValueRange group)> body);
  /// For counts that are known at run time only.
  Values columns(Value count, mlir::ValueRange initial,
                 llvm::function_ref<Values(Value column, Value mask, mlir::ValueRange group)> body);

  // Randomness: see runtime/core/Philox.h.
  /// The seed and the draw counter of an rng tensor at `rng`, with the round keys: computed once, at the current place.
  struct PhiloxKeys {
    Value key0[10], key1[10];
    Value site, step;
  };
  PhiloxKeys philoxKeys(const Array &rng, int64_t site);
  /// From here on site i is what the launch's size `firstSize` + i says.
  void readSites(int64_t firstSize) { siteSizes = firstSize; }
  /// Lanes of a vector of block numbers, which are i64: on a CPU half as many as an f32 vector has.
  int64_t blockLanes() const { return machine.isWarp ? machine.vectorWidth : machine.vectorWidth / 2; }
  /// Draws of the `philoxElements()` elements that start at `4 * block`, in order, as a vector of i32.
  Value philoxDraws(const PhiloxKeys &keys, Value block);
  /// Draws of blocks of their own for every lane: `blocks` are vectors of block numbers that cover the lanes. Four
  /// vectors of i32: the draws of elements 4 * block to 4 * block + 3.
  Values philoxLanes(const PhiloxKeys &keys, llvm::ArrayRef<Value> blocks);
  /// Number of elements that one call of philoxDraws serves.
  int64_t philoxElements() const { return 4 * blockLanes(); }

private:
  Values philoxRounds(const PhiloxKeys &keys, Value blocks);
  mlir::Type typeLike(mlir::Type like, mlir::Type element);
  Value place(const Array &array, Value index);

  mlir::OpBuilder builder;
  mlir::Location loc;
  VectorTarget machine;
  mlir::ModuleOp module;
  mlir::Block *entry = nullptr;
  /// Negative: sites are constants.
  int64_t siteSizes = -1;
  llvm::SmallDenseMap<int64_t, Value> buffers, sizes;
  int64_t stack = 0, mostStack = 0;
};

} // namespace bifocal
#endif
