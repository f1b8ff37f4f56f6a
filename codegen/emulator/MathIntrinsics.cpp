// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/emulator/MathIntrinsics.h"

#include "llvm/ADT/StringSwitch.h"
#include "llvm/IR/Intrinsics.h"
#include "llvm/IR/Module.h"

using namespace llvm;

namespace bifocal::emulator {

/// Numbers below the smallest normal one become zeros of their sign, as `.ftz` says.
static Value *flush(Value *value, IRBuilder<> &builder) {
  Type *type = value->getType();
  Value *magnitude = builder.CreateUnaryIntrinsic(Intrinsic::fabs, value);
  Value *small = builder.CreateFCmpOLT(magnitude, ConstantFP::get(type, 0x1p-126));
  Value *zero = builder.CreateBinaryIntrinsic(Intrinsic::copysign, ConstantFP::get(type, 0.0), value);
  return builder.CreateSelect(small, zero, value);
}

static Value *approximate(StringRef function, Value *x, IRBuilder<> &builder) {
  Value *one = ConstantFP::get(x->getType(), 1.0);
  if (function == "rcp")
    return builder.CreateFDiv(one, x);
  if (function == "sqrt")
    return builder.CreateUnaryIntrinsic(Intrinsic::sqrt, x);
  if (function == "rsqrt")
    return builder.CreateFDiv(one, builder.CreateUnaryIntrinsic(Intrinsic::sqrt, x));
  Module &module = *builder.GetInsertBlock()->getModule();
  StringRef host = StringSwitch<StringRef>(function)
                       .Case("ex2", "bifocal_emulator_exp2")
                       .Case("lg2", "bifocal_emulator_log2")
                       .Case("sin", "bifocal_emulator_sin")
                       .Case("cos", "bifocal_emulator_cos")
                       .Default("");
  if (host.empty())
    return nullptr;
  return builder.CreateCall(module.getOrInsertFunction(host, x->getType(), x->getType()), {x});
}

/// Two f32 rounded to the nearest 16-bit floats; the first operand is the upper half.
static Value *pack(CallInst &call, Type *element, IRBuilder<> &builder) {
  Type *pair = FixedVectorType::get(element, 2);
  Value *result = PoisonValue::get(pair);
  for (unsigned half = 0; half < 2; ++half)
    result = builder.CreateInsertElement(result, builder.CreateFPTrunc(call.getArgOperand(1 - half), element), half);
  return builder.CreateBitCast(result, call.getType());
}

Value *expandMath(StringRef name, CallInst &call, IRBuilder<> &builder) {
  auto operand = [&](unsigned index) { return call.getArgOperand(index); };
  if (name == "ff2bf16x2.rn")
    return pack(call, builder.getBFloatTy(), builder);
  if (name == "ff2f16x2.rn")
    return pack(call, builder.getHalfTy(), builder);
  if (name == "f2bf16.rn")
    return builder.CreateBitCast(builder.CreateFPTrunc(operand(0), builder.getBFloatTy()), call.getType());
  if (name == "fma.rn.f" || name == "fma.rn.d")
    return builder.CreateIntrinsic(Intrinsic::fma, {call.getType()}, {operand(0), operand(1), operand(2)});
  if (name == "fma.rn.ftz.f")
    return flush(builder.CreateIntrinsic(Intrinsic::fma, {call.getType()}, {operand(0), operand(1), operand(2)}),
                 builder);
  if (name == "fmax.f" || name == "fmax.d")
    return builder.CreateBinaryIntrinsic(Intrinsic::maxnum, operand(0), operand(1));
  if (name == "fmin.f" || name == "fmin.d")
    return builder.CreateBinaryIntrinsic(Intrinsic::minnum, operand(0), operand(1));
  if (name == "sqrt.rn.f" || name == "sqrt.rn.d")
    return builder.CreateUnaryIntrinsic(Intrinsic::sqrt, operand(0));
  if (name == "rcp.rn.f")
    return approximate("rcp", operand(0), builder);
  if (name == "div.rn.f" || name == "div.rn.d")
    return builder.CreateFDiv(operand(0), operand(1));
  if (name == "mulhi.ui" || name == "mulhi.i") {
    Type *wide = builder.getInt64Ty();
    auto extend = [&](Value *x) {
      return name == "mulhi.ui" ? builder.CreateZExt(x, wide) : builder.CreateSExt(x, wide);
    };
    Value *product = builder.CreateMul(extend(operand(0)), extend(operand(1)));
    return builder.CreateTrunc(builder.CreateLShr(product, 32), call.getType());
  }
  auto [function, form] = name.split('.');
  if (form == "approx.f")
    return approximate(function, operand(0), builder);
  if (form == "approx.ftz.f") {
    Value *result = approximate(function, flush(operand(0), builder), builder);
    return result ? flush(result, builder) : nullptr;
  }
  return nullptr;
}

} // namespace bifocal::emulator
