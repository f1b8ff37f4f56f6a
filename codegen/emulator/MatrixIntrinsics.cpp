// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tensor core instructions: ldmatrix and mma.sync, with the fragment layouts of PTX ISA 8.5, 9.7.14.5 and 9.7.14.5.15.
#include "codegen/emulator/Intrinsics.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace bifocal::emulator {

constexpr uint32_t wholeWarp = ~0u;

template <typename T> static T pointer(uint64_t word) { return reinterpret_cast<T>(static_cast<uintptr_t>(word)); }

static float fromBf16(uint32_t bits) { return std::bit_cast<float>(bits << 16); }

static float fromF16(uint32_t bits) {
  uint32_t sign = (bits & 0x8000) << 16, exponent = bits >> 10 & 31, mantissa = bits & 0x3ff;
  if (exponent == 31)
    return std::bit_cast<float>(sign | 0x7f800000 | mantissa << 13);
  if (exponent)
    return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
  float small = static_cast<float>(mantissa) * 0x1p-24f;
  return sign ? -small : small;
}

/// Tensor cores do not look at the last 13 bits of an f32.
static float fromTf32(uint32_t bits) { return std::bit_cast<float>(bits & ~0x1fffu); }

/// Rows of matrix j come from lanes 8j to 8j + 7. A lane takes two neighbours of row lane / 4, or, transposed, of
/// column lane / 4.
template <uint32_t matrices, bool transposed> static void loadMatrices(Machine &machine, uint32_t warp, uint32_t) {
  using Kind = Machine::AccessKind;
  for (uint32_t lane = 0; lane < warpSize; ++lane) {
    Thread &thread = machine.lane(warp, lane);
    if (lane < 8 * matrices && thread.call.operands[0] % 16 != 0)
      return machine.fail(FindingKind::Misaligned, thread, "ldmatrix reads a row that is not aligned to 16 bytes");
    for (uint32_t matrix = 0; matrix < matrices; ++matrix) {
      auto row = [&](uint32_t index) {
        return pointer<const char *>(machine.lane(warp, 8 * matrix + index).call.operands[0]);
      };
      uint32_t word = 0;
      if (transposed) {
        for (uint32_t half = 0; half < 2; ++half) {
          const char *place = row(2 * (lane % 4) + half) + 2 * (lane / 4);
          if (!machine.accessAs(thread, place, 2, Kind::Read, 2))
            return;
          uint16_t bits;
          std::memcpy(&bits, place, 2);
          word |= uint32_t{bits} << 16 * half;
        }
      } else {
        const char *place = row(lane / 4) + 4 * (lane % 4);
        if (!machine.accessAs(thread, place, 4, Kind::Read, 4))
          return;
        std::memcpy(&word, place, 4);
      }
      thread.call.results[matrix] = word;
    }
  }
}

template <uint32_t matrices, bool transposed>
static void loadMatrix(Machine &machine, const uint64_t *operands, uint64_t *results, uint32_t site) {
  machine.thread().call.operands = {operands[0]};
  LaneCall &call = machine.meet(loadMatrices<matrices, transposed>, wholeWarp, site);
  std::copy_n(call.results.begin(), matrices, results);
}

/// The results of D = A B + C, two rows of two neighbours in each lane: sums, rounded to f32 once.
template <uint32_t inner>
static void writeSums(Machine &machine, uint32_t warp, const float (&a)[16][inner], const float (&b)[inner][8]) {
  for (uint32_t lane = 0; lane < warpSize; ++lane) {
    LaneCall &call = machine.lane(warp, lane).call;
    for (uint32_t index = 0; index < 4; ++index) {
      uint32_t row = lane / 4 + 8 * (index / 2), column = 2 * (lane % 4) + index % 2;
      double sum = std::bit_cast<float>(static_cast<uint32_t>(call.operands[6 + index]));
      for (uint32_t k = 0; k < inner; ++k)
        sum += double{a[row][k]} * b[k][column];
      call.results[index] = std::bit_cast<uint32_t>(static_cast<float>(sum));
    }
  }
}

/// 16 x 8 x 16 with two 16-bit elements in a word of A and B.
template <float (*element)(uint32_t)> static void multiply16(Machine &machine, uint32_t warp, uint32_t) {
  float a[16][16], b[16][8];
  auto half = [&](uint32_t lane, uint32_t word, uint32_t index) {
    return element(static_cast<uint32_t>(machine.lane(warp, lane).call.operands[word]) >> 16 * index & 0xffff);
  };
  for (uint32_t lane = 0; lane < warpSize; ++lane)
    for (uint32_t index = 0; index < 2; ++index) {
      uint32_t group = lane / 4, pair = 2 * (lane % 4) + index;
      for (uint32_t word = 0; word < 4; ++word)
        a[group + 8 * (word % 2)][pair + 8 * (word / 2)] = half(lane, word, index);
      for (uint32_t word = 0; word < 2; ++word)
        b[pair + 8 * word][group] = half(lane, 4 + word, index);
    }
  writeSums(machine, warp, a, b);
}

/// 16 x 8 x 8 in TF32.
static void multiplyTf32(Machine &machine, uint32_t warp, uint32_t) {
  float a[16][8], b[8][8];
  auto value = [&](uint32_t lane, uint32_t word) {
    return fromTf32(static_cast<uint32_t>(machine.lane(warp, lane).call.operands[word]));
  };
  for (uint32_t lane = 0; lane < warpSize; ++lane) {
    for (uint32_t word = 0; word < 4; ++word)
      a[lane / 4 + 8 * (word % 2)][lane % 4 + 4 * (word / 2)] = value(lane, word);
    for (uint32_t word = 0; word < 2; ++word)
      b[lane % 4 + 4 * word][lane / 4] = value(lane, 4 + word);
  }
  writeSums(machine, warp, a, b);
}

/// Operands: 4 words of A, 2 of B, 4 floats of C.
template <Collective collective>
static void multiply(Machine &machine, const uint64_t *operands, uint64_t *results, uint32_t site) {
  std::copy_n(operands, 10, machine.thread().call.operands.begin());
  LaneCall &call = machine.meet(collective, wholeWarp, site);
  std::copy_n(call.results.begin(), 4, results);
}

static constexpr IntrinsicEntry table[] = {
    {"ldmatrix.sync.aligned.m8n8.x1.b16", loadMatrix<1, false>},
    {"ldmatrix.sync.aligned.m8n8.x2.b16", loadMatrix<2, false>},
    {"ldmatrix.sync.aligned.m8n8.x4.b16", loadMatrix<4, false>},
    {"ldmatrix.sync.aligned.m8n8.x1.trans.b16", loadMatrix<1, true>},
    {"ldmatrix.sync.aligned.m8n8.x2.trans.b16", loadMatrix<2, true>},
    {"ldmatrix.sync.aligned.m8n8.x4.trans.b16", loadMatrix<4, true>},
    {"mma.m16n8k16.row.col.bf16", multiply<multiply16<fromBf16>>},
    {"mma.m16n8k16.row.col.f32.f32", multiply<multiply16<fromF16>>},
    {"mma.m16n8k8.row.col.tf32", multiply<multiplyTf32>},
};

Handler findMatrixIntrinsic(std::string_view name) { return findIn(table, name); }

} // namespace bifocal::emulator
