// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/emulator/HostFunctions.h"

#include "codegen/emulator/Intrinsics.h"

#include <bit>
#include <cmath>
#include <cstring>

namespace bifocal::emulator {

static void access(const char *address, uint32_t bytes, uint32_t kind, uint32_t alignment, uint32_t site) {
  Machine::active()->access(address, bytes, static_cast<Machine::AccessKind>(kind), alignment, site);
}

static char *shared(uint32_t offset) { return Machine::active()->shared() + offset; }

static uint32_t specialRegister(uint32_t index) { return Machine::active()->specialRegister(index); }

static void call(Handler handler, const uint64_t *operands, uint64_t *results, uint32_t site) {
  handler(*Machine::active(), operands, results, site);
}

static void floatAtomic(uint32_t site) { Machine::active()->floatAtomic(site); }

static float exp2Of(float x) { return static_cast<float>(std::exp2(double{x})); }
static float log2Of(float x) { return static_cast<float>(std::log2(double{x})); }
static float sinOf(float x) { return static_cast<float>(std::sin(double{x})); }
static float cosOf(float x) { return static_cast<float>(std::cos(double{x})); }

/// What LLVM calls to round an f32 to bf16: it takes the 16 bits from the lower end of xmm0, where a float comes back.
static float roundToBf16(float x) {
  uint32_t bits = std::bit_cast<uint32_t>(x);
  uint32_t rounded = x != x ? (bits >> 16 | 0x40) : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  return std::bit_cast<float>(rounded);
}

llvm::Error defineHostFunctions(llvm::orc::LLJIT &jit) {
  llvm::orc::SymbolMap symbols;
  auto add = [&](const char *name, auto *function) {
    symbols[jit.mangleAndIntern(name)] = {llvm::orc::ExecutorAddr::fromPtr(function), llvm::JITSymbolFlags::Exported};
  };
  add("bifocal_emulator_access", access);
  add("bifocal_emulator_shared", shared);
  add("bifocal_emulator_register", specialRegister);
  add("bifocal_emulator_call", call);
  add("bifocal_emulator_float_atomic", floatAtomic);
  add("bifocal_emulator_exp2", exp2Of);
  add("bifocal_emulator_log2", log2Of);
  add("bifocal_emulator_sin", sinOf);
  add("bifocal_emulator_cos", cosOf);
  add("__truncsfbf2", roundToBf16);
  // What code generation may call by itself.
  add("fmaf", static_cast<float (*)(float, float, float)>(std::fma));
  add("exp2f", static_cast<float (*)(float)>(std::exp2));
  add("floorf", static_cast<float (*)(float)>(std::floor));
  add("ceilf", static_cast<float (*)(float)>(std::ceil));
  add("truncf", static_cast<float (*)(float)>(std::trunc));
  add("rintf", static_cast<float (*)(float)>(std::rint));
  add("fmaxf", static_cast<float (*)(float, float)>(std::fmax));
  add("fminf", static_cast<float (*)(float, float)>(std::fmin));
  add("memcpy", std::memcpy);
  add("memset", std::memset);
  add("memmove", std::memmove);
  return jit.getMainJITDylib().define(llvm::orc::absoluteSymbols(std::move(symbols)));
}

} // namespace bifocal::emulator
