// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Elementary functions, loops over columns and random numbers of the kernel builder.

#include "codegen/common/KernelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace bifocal {

static Value polynomial(KernelBuilder &kernel, Value x, ArrayRef<double> highestFirst) {
  Value sum = kernel.constant(x.getType(), highestFirst.front());
  for (double coefficient : highestFirst.drop_front())
    sum = kernel.fma(sum, x, kernel.constant(x.getType(), coefficient));
  return sum;
}

static constexpr double log2OfE = 1.4426950408889634;

/// x - n ln 2, with n so near to x / ln 2 that it is at most ln(2)/2.
static Value restOf(KernelBuilder &kernel, Value x, Value n) {
  Type type = x.getType();
  Value minusN = kernel.neg(n), r = kernel.fma(minusN, kernel.constant(type, 0.693145751953125), x);
  return kernel.fma(minusN, kernel.constant(type, 1.428606765330187e-06), r);
}

/// e^r of such a rest. Taylor terms to r^7: the first that is left out is below 2^-27.
static Value expOfRest(KernelBuilder &kernel, Value x, Value n) {
  return polynomial(kernel, restOf(kernel, x, n), {1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1.0, 1.0});
}

// The power of two is applied in two halves, so results overflow to infinity and fade through the denormals to 0 where
// they should.
Value KernelBuilder::exp(Value x) {
  Type type = x.getType(), integers = typeLike(type, i32());
  x = max(constant(type, -104.0), min(constant(type, 89.0), x));
  Value n = builder.create<math::RoundEvenOp>(loc, mul(x, constant(type, log2OfE))), p = expOfRest(*this, x, n);
  Value power = convert(n, i32());
  Value half = builder.create<arith::ShRSIOp>(loc, power, constantInt(integers, 1));
  auto scale = [&](Value exponent) { return bitcast(shiftLeft(add(exponent, constantInt(integers, 127)), 23), type); };
  return mul(mul(p, scale(half)), scale(sub(power, half)));
}

// n + 127, which is the exponent of 2^n and 0 for n = -127, stands in the last bits of n + bias: rounding to nearest
// there rounds x / ln 2 to n.
Value KernelBuilder::expNonPositive(Value x) {
  constexpr double bias = 0x1.8p23 + 127;
  Type type = x.getType(), integers = typeLike(type, i32());
  x = max(constant(type, -88.0), min(constant(type, 0.0), x));
  Value biased = fma(x, constant(type, log2OfE), constant(type, bias)), n = sub(biased, constant(type, bias));
  return mul(expOfRest(*this, x, n), bitcast(shiftLeft(bitcast(biased, integers), 23), type));
}

// log x = e ln(2) + log m with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh((m-1)/(m+1)), a short odd series.
Value KernelBuilder::log(Value x) {
  Type type = x.getType(), integers = typeLike(type, i32());
  Value tiny = less(x, constant(type, 1.17549435e-38));
  Value scaled = select(tiny, mul(x, constant(type, 8388608.0)), x);
  Value bits = sub(bitcast(scaled, integers), constantInt(integers, 0x3F3504F3));
  Value exponent = builder.create<arith::ShRSIOp>(loc, bits, constantInt(integers, 23));
  Value mantissa =
      bitcast(add(bitAnd(bits, constantInt(integers, 0x007FFFFF)), constantInt(integers, 0x3F3504F3)), type);
  Value e = add(convert(exponent, f32()), select(tiny, constant(type, -23.0), constant(type, 0.0)));
  Value f = sub(mantissa, constant(type, 1.0));
  Value s = div(f, add(f, constant(type, 2.0)));
  Value z = mul(s, s);
  Value series = polynomial(*this, z, {2.0 / 11, 2.0 / 9, 2.0 / 7, 2.0 / 5, 2.0 / 3});
  // log(1+f) = f - f^2/2 + s (f^2/2 + z series): f itself carries no rounding error.
  Value halfSquare = mul(mul(f, f), constant(type, 0.5));
  Value low = fma(s, fma(z, series, halfSquare), mul(e, constant(type, 1.428606765330187e-06)));
  Value result = add(sub(low, halfSquare), f);
  result = fma(e, constant(type, 0.693145751953125), result);
  Value infinity = constant(type, std::numeric_limits<double>::infinity());
  result = select(less(x, infinity), result, x);
  result = select(equal(x, constant(type, 0.0)), neg(infinity), result);
  return select(less(x, constant(type, 0.0)), constant(type, std::numeric_limits<double>::quiet_NaN()), result);
}

Value KernelBuilder::nearest(Value a) { return convert(builder.create<math::RoundEvenOp>(loc, a), i32()); }

static Value callIntrinsic(KernelBuilder &kernel, Type result, StringRef name, ValueRange operands) {
  return kernel.raw().create<LLVM::CallIntrinsicOp>(kernel.location(), result, name, operands).getResult(0);
}

Value KernelBuilder::addPairs(Value a, Value b) {
  // Written in the operations that it stands for, LLVM 19 does not find the instruction.
  StringRef intrinsic = width() == 16 ? "llvm.x86.avx512.pmaddw.d.512" : "llvm.x86.avx2.pmadd.wd";
  return callIntrinsic(*this, vectorOf(i32()), intrinsic, {a, b});
}

Value KernelBuilder::addBf16Pairs(Value sum, Value a, Value b) {
  Type pairs = vectorOf(builder.getBF16Type(), 2 * width());
  return callIntrinsic(*this, sum.getType(), "llvm.x86.avx512bf16.dpbf16ps.512",
                       {sum, bitcast(a, pairs), bitcast(b, pairs)});
}

Value KernelBuilder::addByteQuads(Value sum, Value a, Value b) {
  return callIntrinsic(*this, sum.getType(), "llvm.x86.avx512.vpdpbusd.512", {sum, a, b});
}

Value KernelBuilder::bf16Bits(Value vector) {
  Value rounded =
      callIntrinsic(*this, vectorOf(builder.getBF16Type()), "llvm.x86.avx512bf16.cvtneps2bf16.512", {vector});
  return bitcast(rounded, vectorOf(i16()));
}

Value KernelBuilder::sigmoid(Value x) {
  Value one = constant(x.getType(), 1.0);
  return div(one, add(one, exp(neg(x))));
}

// tanh |x| = m / (m + 2) with m = e^(2 |x|) - 1 = 2^n (e^r - 1) + (2^n - 1), whose terms do not cancel: r is at least
// -ln(2)/2, and n = 0 leaves the series of e^r - 1 alone. From |x| = 10 on it rounds to 1.
Value KernelBuilder::tanh(Value x) {
  Type type = x.getType(), integers = typeLike(type, i32());
  Value one = constant(type, 1.0), twice = add(x, x);
  twice = min(constant(type, 20.0), max(neg(twice), twice));
  Value n = builder.create<math::RoundEvenOp>(loc, mul(twice, constant(type, log2OfE))), r = restOf(*this, twice, n);
  Value series = polynomial(*this, r, {1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1.0});
  Value power = bitcast(shiftLeft(add(convert(n, i32()), constantInt(integers, 127)), 23), type);
  Value m = fma(mul(r, series), power, sub(power, one)), result = div(m, add(m, constant(type, 2.0)));
  return select(less(x, constant(type, 0.0)), neg(result), result);
}

void KernelBuilder::columns(int64_t count, int64_t unrolled,
                            llvm::function_ref<void(Value column, Value mask, int64_t lane)> body) {
  const int64_t step = unrolled * width(), whole = count / step * step;
  if (whole == step) {
    for (int64_t lane = 0; lane < unrolled; ++lane)
      body(index(lane * width()), nullptr, lane);
  } else if (whole > 0) {
    loop(index(0), index(whole), step, [&](Value column) {
      for (int64_t lane = 0; lane < unrolled; ++lane)
        body(add(column, lane * width()), nullptr, lane);
    });
  }
  int64_t lane = 0;
  for (int64_t column = whole; column < count; column += width(), ++lane)
    body(index(column), column + width() <= count ? Value() : tailMask(count - column), lane);
}

KernelBuilder::Values
KernelBuilder::columns(int64_t count, int64_t unrolled, ValueRange initial,
                       llvm::function_ref<Values(Value column, Value mask, ValueRange group)> body) {
  const int64_t step = unrolled * width(), whole = count / step * step;
  const size_t groupSize = initial.size() / unrolled;
  auto update = [&](Values &state, int64_t lane, Value column, Value mask) {
    Values next = body(column, mask, ValueRange(state).slice(lane * groupSize, groupSize));
    llvm::copy(next, state.begin() + lane * groupSize);
  };
  Values state(initial);
  if (whole > 0)
    state = loop(index(0), index(whole), step, state, [&](Value column, ValueRange carried) {
      Values next(carried);
      for (int64_t lane = 0; lane < unrolled; ++lane)
        update(next, lane, add(column, lane * width()), nullptr);
      return next;
    });
  int64_t lane = 0;
  for (int64_t column = whole; column < count; column += width(), ++lane)
    update(state, lane, index(column), column + width() <= count ? Value() : tailMask(count - column));
  return state;
}

KernelBuilder::Values
KernelBuilder::columns(Value count, ValueRange initial,
                       llvm::function_ref<Values(Value column, Value mask, ValueRange group)> body) {
  Value whole = mul(div(count, index(width())), width());
  Values state = loop(index(0), whole, width(), initial,
                      [&](Value column, ValueRange carried) { return body(column, nullptr, carried); });
  return loop(whole, count, width(), state,
              [&](Value column, ValueRange carried) { return body(column, tailMask(sub(count, column)), carried); });
}

// Counters live in the low halves of 64-bit lanes: one widening multiplication and one shift per product, no shuffles.
// What the high halves hold never matters.
KernelBuilder::PhiloxKeys KernelBuilder::philoxKeys(const Array &rng, int64_t site) {
  PhiloxKeys keys;
  Type lanes = vectorOf(i64(), blockLanes());
  const Array words{rng.base, i32()};
  Value low = load(words, index(0)), high = load(words, index(1));
  for (int64_t round = 0; round < 10; ++round) {
    auto at = [&](Value key, uint32_t bump) {
      Value moved = add(key, constantInt(i32(), static_cast<int32_t>(static_cast<uint32_t>(round) * bump)));
      Value wide = builder.create<arith::ExtUIOp>(loc, i64(), moved);
      return splat(wide, blockLanes());
    };
    keys.key0[round] = at(low, 0x9E3779B9);
    keys.key1[round] = at(high, 0xBB67AE85);
  }
  Value step = load(words, index(2));
  keys.step = splat(builder.create<arith::ExtUIOp>(loc, i64(), step), blockLanes());
  keys.site =
      siteSizes < 0 ? constantInt(lanes, static_cast<uint32_t>(site)) : splat(size(siteSizes + site), blockLanes());
  return keys;
}

/// The four words of each block, in the low halves of 64-bit lanes.
KernelBuilder::Values KernelBuilder::philoxRounds(const PhiloxKeys &keys, Value blocks) {
  Type lanesType = blocks.getType();
  Value low32 = constantInt(lanesType, 0xFFFFFFFF);
  Value c0 = blocks, c1 = shiftRight(blocks, 32), c2 = keys.site, c3 = keys.step;
  for (int64_t round = 0; round < 10; ++round) {
    Value product0 = mul(bitAnd(c0, low32), constantInt(lanesType, 0xD2511F53));
    Value product1 = mul(bitAnd(c2, low32), constantInt(lanesType, 0xCD9E8D57));
    c0 = bitXor(bitXor(shiftRight(product1, 32), c1), keys.key0[round]);
    c2 = bitXor(bitXor(shiftRight(product0, 32), c3), keys.key1[round]);
    c1 = product1;
    c3 = product0;
  }
  return {c0, c1, c2, c3};
}

Value KernelBuilder::philoxDraws(const PhiloxKeys &keys, Value block) {
  const int64_t count = blockLanes();
  Values words = philoxRounds(keys, add(splat(block, count), lanes(i64(), count)));
  if (machine.isWarp) {
    auto interleave = [&](Value even, Value odd) { return builder.create<vector::InterleaveOp>(loc, even, odd); };
    for (Value &word : words)
      word = convert(word, i32());
    return interleave(interleave(words[0], words[2]), interleave(words[1], words[3]));
  }
  SmallVector<int64_t> halves, order;
  for (int64_t lane = 0; lane < count; ++lane) {
    halves.append({2 * lane, 2 * count + 2 * lane});
    order.append({lane, count + lane});
  }
  // The low halves of two vectors, lane by lane; then pairs of them.
  auto pairs = [&](Value even, Value odd) {
    VectorType type = vectorOf(i32(), 2 * count);
    return bitcast(shuffle(bitcast(even, type), bitcast(odd, type), halves), even.getType());
  };
  Value drawn = shuffle(pairs(words[0], words[1]), pairs(words[2], words[3]), order);
  return bitcast(drawn, vectorOf(i32(), 4 * count));
}

KernelBuilder::Values KernelBuilder::philoxLanes(const PhiloxKeys &keys, ArrayRef<Value> blocks) {
  Values lowWords = philoxRounds(keys, blocks[0]), words;
  if (machine.isWarp) {
    for (Value word : lowWords)
      words.push_back(convert(word, i32()));
    return words;
  }
  Values highWords = philoxRounds(keys, blocks[1]);
  SmallVector<int64_t> even;
  for (int64_t lane = 0; lane < width(); ++lane)
    even.push_back(2 * lane);
  for (auto [a, b] : llvm::zip(lowWords, highWords))
    words.push_back(shuffle(bitcast(a, vectorOf(i32())), bitcast(b, vectorOf(i32())), even));
  return words;
}

} // namespace bifocal
