// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Instructions of a warp against what PTX says about them.

#include "test/Emulator/EmulatorHarness.h"

#include <bit>
#include <cmath>
#include <random>

namespace bifocal::emulator::test {
namespace {

constexpr uint32_t lanes = warpSize;

/// Runs `result = call` for one warp, where %x is the lane's number plus 100.
std::vector<int32_t> perLane(const std::string &call, const std::string &declaration) {
  Harness harness(kernelText("ptr addrspace(1) %y",
                             "  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()\n  %x = add i32 %t, 100\n"
                             "  %odd = trunc i32 %t to i1\n"
                             "  %r = " +
                                 call +
                                 "\n  %p = getelementptr i32, ptr addrspace(1) %y, i32 %t\n"
                                 "  store i32 %r, ptr addrspace(1) %p, align 4\n",
                             declaration));
  EXPECT_EQ(harness.error, "");
  if (!harness.emulator)
    return {};
  int32_t *y = harness.buffer(std::vector<int32_t>(lanes, -1), "y");
  EXPECT_EQ(describe(harness.launch(lanes, {&y})), "");
  return {y, y + lanes};
}

TEST(Instructions, Shuffles) {
  struct Case {
    const char *kind;
    uint32_t operand, clamp;
    int32_t (*source)(int32_t lane);
  };
  // The clamp holds the end of a segment and, above 8 bits, the mask that cuts the warp into segments.
  const Case cases[] = {
      {"bfly", 1, 0x1f, [](int32_t lane) { return lane ^ 1; }},
      {"bfly", 16, 0x1f, [](int32_t lane) { return lane ^ 16; }},
      {"down", 3, 0x1f, [](int32_t lane) { return lane + 3 < 32 ? lane + 3 : lane; }},
      {"up", 3, 0, [](int32_t lane) { return lane >= 3 ? lane - 3 : lane; }},
      {"idx", 7, 0x1f, [](int32_t) { return 7; }},
      {"down", 2, 0x181f, [](int32_t lane) { return lane % 8 + 2 < 8 ? lane + 2 : lane; }},
      {"up", 2, 0x1800, [](int32_t lane) { return lane % 8 >= 2 ? lane - 2 : lane; }},
      {"idx", 5, 0x181f, [](int32_t lane) { return lane / 8 * 8 + 5; }},
  };
  for (const Case &test : cases) {
    const std::string name = std::string("@llvm.nvvm.shfl.sync.") + test.kind + ".i32";
    std::vector<int32_t> got = perLane("call i32 " + name + "(i32 -1, i32 %x, i32 " + std::to_string(test.operand) +
                                           ", i32 " + std::to_string(test.clamp) + ")",
                                       "declare i32 " + name + "(i32, i32, i32, i32)");
    ASSERT_EQ(got.size(), lanes);
    for (int32_t lane = 0; lane < 32; ++lane)
      EXPECT_EQ(got[static_cast<size_t>(lane)], test.source(lane) + 100) << test.kind << " lane " << lane;
  }
}

TEST(Instructions, VotesAndReductions) {
  std::vector<int32_t> ballot = perLane("call i32 @llvm.nvvm.vote.ballot.sync(i32 -1, i1 %odd)",
                                        "declare i32 @llvm.nvvm.vote.ballot.sync(i32, i1)");
  EXPECT_EQ(ballot, std::vector<int32_t>(lanes, static_cast<int32_t>(0xAAAAAAAA)));
  std::vector<int32_t> sum =
      perLane("call i32 @llvm.nvvm.redux.sync.add(i32 %x, i32 -1)", "declare i32 @llvm.nvvm.redux.sync.add(i32, i32)");
  EXPECT_EQ(sum, std::vector<int32_t>(lanes, 3200 + 31 * 16));
  std::vector<int32_t> most = perLane("call i32 @llvm.nvvm.redux.sync.umax(i32 %x, i32 -1)",
                                      "declare i32 @llvm.nvvm.redux.sync.umax(i32, i32)");
  EXPECT_EQ(most, std::vector<int32_t>(lanes, 131));
}

float valueOf(uint16_t bits, bool bf16) {
  if (bf16)
    return std::bit_cast<float>(uint32_t{bits} << 16);
  float magnitude = (bits & 0x7fff) == 0 ? 0.0f
                                         : std::ldexp(static_cast<float>(1024 + (bits & 0x3ff)) / 1024.0f,
                                                      static_cast<int>(bits >> 10 & 31) - 15);
  return bits & 0x8000 ? -magnitude : magnitude;
}

/// A kernel whose threads load their fragments, multiply and store.
std::string productKernel(const std::string &intrinsic, const std::string &type) {
  std::string body = "  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()\n";
  std::string operands, types;
  auto load = [&](const std::string &name, const std::string &array, const std::string &element, int place,
                  int stride) {
    body += "  %i" + name + " = mul i32 %t, " + std::to_string(stride) + "\n  %j" + name + " = add i32 %i" + name +
            ", " + std::to_string(place) + "\n  %p" + name + " = getelementptr " + element + ", ptr addrspace(1) %" +
            array + ", i32 %j" + name + "\n  %" + name + " = load " + element + ", ptr addrspace(1) %p" + name +
            ", align 4\n";
    operands += (operands.empty() ? "" : ", ") + element + " %" + name;
    types += (types.empty() ? "" : ", ") + element;
  };
  for (int word = 0; word < 4; ++word)
    load("a" + std::to_string(word), "A", type, word, 4);
  for (int word = 0; word < 2; ++word)
    load("b" + std::to_string(word), "B", type, word, 2);
  for (int word = 0; word < 4; ++word)
    load("c" + std::to_string(word), "C", "float", word, 4);
  body += "  %d = call {float, float, float, float} @" + intrinsic + "(" + operands + ")\n";
  for (int word = 0; word < 4; ++word) {
    const std::string n = std::to_string(word);
    body += "  %d" + n + " = extractvalue {float, float, float, float} %d, " + n + "\n  %q" + n +
            " = getelementptr float, ptr addrspace(1) %D, i32 %jc" + n + "\n  store float %d" + n +
            ", ptr addrspace(1) %q" + n + ", align 4\n";
  }
  return kernelText("ptr addrspace(1) %A, ptr addrspace(1) %B, ptr addrspace(1) %C, ptr addrspace(1) %D", body,
                    "declare {float, float, float, float} @" + intrinsic + "(" + types + ")");
}

/// D = A B + C with A [16, 16], B [16, 8] and C [16, 8], whose fragments are loaded as PTX says.
void multiplies(const std::string &intrinsic, const std::string &type, bool bf16) {
  Harness harness(productKernel(intrinsic, type));
  ASSERT_EQ(harness.error, "");
  std::mt19937 generator(3);
  // Numbers between 1/2 and 2 of either sign.
  auto draw = [&] {
    uint32_t bits = generator();
    return static_cast<uint16_t>(bf16 ? (bits & 0x807f) | (0x3f00 + (bits >> 16 & 1) * 0x80)
                                      : (bits & 0x83ff) | (0x3800 + (bits >> 16 & 1) * 0x400));
  };
  std::vector<uint16_t> a(16 * 16), b(16 * 8), fragmentA(lanes * 8), fragmentB(lanes * 4);
  std::vector<float> c(16 * 8), fragmentC(lanes * 4);
  for (uint16_t &value : a)
    value = draw();
  for (uint16_t &value : b)
    value = draw();
  for (float &value : c)
    value = valueOf(draw(), bf16);
  for (uint32_t lane = 0; lane < lanes; ++lane)
    for (uint32_t element = 0; element < 8; ++element) {
      const uint32_t group = lane / 4, inGroup = lane % 4;
      // PTX ISA 8.5, 9.7.14.5.8: rows of a_i for i in 0, 1, 4, 5, and columns 8 further for i from 4 on.
      const uint32_t row = (element < 2 || (element >= 4 && element < 6)) ? group : group + 8;
      fragmentA[lane * 8 + element] = a[row * 16 + inGroup * 2 + (element & 1) + (element >= 4 ? 8 : 0)];
      if (element < 4) {
        fragmentB[lane * 4 + element] = b[(inGroup * 2 + (element & 1) + (element >= 2 ? 8 : 0)) * 8 + group];
        fragmentC[lane * 4 + element] = c[(group + (element >= 2 ? 8 : 0)) * 8 + inGroup * 2 + (element & 1)];
      }
    }
  uint16_t *bufferA = harness.buffer(fragmentA, "A"), *bufferB = harness.buffer(fragmentB, "B");
  float *bufferC = harness.buffer(fragmentC, "C"), *d = harness.buffer(fragmentC, "D");
  EXPECT_EQ(describe(harness.launch(lanes, {&bufferA, &bufferB, &bufferC, &d})), "");
  for (uint32_t lane = 0; lane < lanes; ++lane)
    for (uint32_t element = 0; element < 4; ++element) {
      const uint32_t row = lane / 4 + (element >= 2 ? 8 : 0), column = lane % 4 * 2 + (element & 1);
      double expected = c[row * 8 + column];
      for (uint32_t k = 0; k < 16; ++k)
        expected += double{valueOf(a[row * 16 + k], bf16)} * valueOf(b[k * 8 + column], bf16);
      EXPECT_EQ(d[lane * 4 + element], static_cast<float>(expected)) << row << ", " << column;
    }
}

TEST(Instructions, ProductsOfBf16) { multiplies("llvm.nvvm.mma.m16n8k16.row.col.bf16", "i32", true); }
TEST(Instructions, ProductsOfF16) { multiplies("llvm.nvvm.mma.m16n8k16.row.col.f32.f32", "<2 x half>", false); }

TEST(Instructions, Approximations) {
  struct Case {
    const char *name;
    double (*exact)(double);
  };
  const Case cases[] = {{"ex2.approx.ftz.f", [](double x) { return std::exp2(x); }},
                        {"lg2.approx.ftz.f", [](double x) { return std::log2(x); }},
                        {"rcp.approx.ftz.f", [](double x) { return 1 / x; }},
                        {"rsqrt.approx.ftz.f", [](double x) { return 1 / std::sqrt(x); }}};
  for (const Case &test : cases) {
    const std::string name = std::string("@llvm.nvvm.") + test.name;
    Harness harness(kernelText("ptr addrspace(1) %y",
                               "  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()\n  %n = add i32 %t, 1\n"
                               "  %x = uitofp i32 %n to float\n  %r = call float " +
                                   name +
                                   "(float %x)\n  %p = getelementptr float, ptr addrspace(1) %y, i32 %t\n"
                                   "  store float %r, ptr addrspace(1) %p, align 4\n",
                               "declare float " + name + "(float)"));
    ASSERT_EQ(harness.error, "");
    float *y = harness.buffer(std::vector<float>(lanes, 0.0f), "y");
    EXPECT_EQ(describe(harness.launch(lanes, {&y})), "");
    for (uint32_t lane = 0; lane < lanes; ++lane)
      EXPECT_NEAR(y[lane], test.exact(lane + 1.0), 2e-7 * std::abs(test.exact(lane + 1.0))) << test.name;
  }
}

} // namespace
} // namespace bifocal::emulator::test
