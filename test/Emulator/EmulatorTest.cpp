// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the emulator refuses, and what it says about launches; the bugs that it finds are in planted/.

#include "test/Emulator/EmulatorHarness.h"

#include <algorithm>

namespace bifocal::emulator::test {
namespace {

constexpr const char *thread = "  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()\n";

TEST(Emulator, RefusesWhatItDoesNotKnow) {
  EXPECT_NE(Harness("no IR at all").error.find("no LLVM IR"), std::string::npos);
  const std::string intrinsic = Harness(kernelText("", "  call void @llvm.nvvm.cp.async.bulk.commit.group()\n",
                                                   "declare void @llvm.nvvm.cp.async.bulk.commit.group()"))
                                    .error;
  EXPECT_NE(intrinsic.find("line "), std::string::npos) << intrinsic;
  EXPECT_NE(intrinsic.find("the emulator does not know the intrinsic 'llvm.nvvm.cp.async.bulk.commit.group'"),
            std::string::npos)
      << intrinsic;
  const std::string assembly =
      Harness(kernelText("", "  call void asm sideeffect \"griddepcontrol.wait;\", \"\"()\n")).error;
  EXPECT_NE(assembly.find("griddepcontrol.wait"), std::string::npos) << assembly;
  const std::string function =
      Harness(kernelText("", "  %x = call float @__nv_expf(float 1.0)\n", "declare float @__nv_expf(float)")).error;
  EXPECT_NE(function.find("calls '__nv_expf', which the module does not define"), std::string::npos) << function;
}

TEST(Emulator, NamesAllThatItDoesNotKnow) {
  const std::string both = Harness(kernelText("", "  call void asm sideeffect \"one;\", \"\"()\n"
                                                  "  call void asm sideeffect \"two;\", \"\"()\n"))
                               .error;
  EXPECT_NE(both.find("'one;'"), std::string::npos) << both;
  EXPECT_NE(both.find("'two;'"), std::string::npos) << both;
}

TEST(Emulator, RefusesLaunchesThatNoGpuAccepts) {
  Harness harness(kernelText("i32 %n", ""));
  ASSERT_EQ(harness.error, "");
  int32_t n = 3;
  auto refusal = [&](Launch launch) {
    Result<std::vector<Finding>> findings = harness.emulator->launch(launch);
    EXPECT_FALSE(findings.ok());
    return findings.ok() ? "" : findings.status().message();
  };
  EXPECT_NE(refusal({"j", {}, {}, 0, {&n}}).find("no kernel 'j'; there are: k"), std::string::npos);
  EXPECT_NE(refusal({"k", {}, {}, 0, {}}).find("got 0 parameters, the kernel has 1"), std::string::npos);
  EXPECT_NE(refusal({"k", {}, {1025, 1, 1}, 0, {&n}}).find("1025 x 1 x 1"), std::string::npos);
  EXPECT_NE(refusal({"k", {}, {0, 1, 1}, 0, {&n}}).find("0 x 1 x 1"), std::string::npos);
  EXPECT_NE(refusal({"k", {1, 65536, 1}, {}, 0, {&n}}).find("1 x 65536 x 1"), std::string::npos);
  EXPECT_NE(refusal({"k", {}, {}, 1 << 20, {&n}}).find("needs 1048576 bytes of shared memory"), std::string::npos);
  EXPECT_TRUE(harness.emulator->launch({"k", {2, 2, 2}, {1024, 1, 1}, 0, {&n}}).ok());
}

/// Each thread writes its number to y[n - 1 - number].
std::string reversed(const std::string &store) {
  return kernelText("ptr addrspace(1) %y, i32 %n", std::string(thread) +
                                                       "  %m = sub i32 %n, 1\n  %i = sub i32 %m, %t\n"
                                                       "  %p = getelementptr i32, ptr addrspace(1) %y, i32 %i\n" +
                                                       store);
}

TEST(Emulator, SaysWhereAnAccessIsOutOfBounds) {
  Harness harness(reversed("  store i32 %t, ptr addrspace(1) %p, align 4\n"));
  ASSERT_EQ(harness.error, "");
  int32_t *y = harness.buffer(std::vector<int32_t>(64, 0), "y"), n = 64;
  EXPECT_EQ(describe(harness.launch(64, {&y, &n})), "");
  EXPECT_EQ(y[63], 0);
  EXPECT_EQ(y[0], 63);
  n = 65;
  std::vector<Finding> findings = harness.launch(64, {&y, &n});
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, FindingKind::OutOfBounds);
  EXPECT_EQ(findings[0].message, "writes 4 bytes at 0 bytes behind the end of y (256 bytes)");
  EXPECT_EQ(findings[0].place.thread, (Dim3{0, 0, 0}));
  EXPECT_EQ(findings[0].place.site.instruction, "store i32 %t, ptr addrspace(1) %p, align 4");
  const std::string &text = harness.emulator->text();
  size_t line = 1 + static_cast<size_t>(std::count(
                        text.begin(), text.begin() + static_cast<std::ptrdiff_t>(text.find("store i32")), '\n'));
  EXPECT_EQ(findings[0].place.site.line, line);
}

TEST(Emulator, ReadsOfWhatNobodyWroteAreFoundByByte) {
  Harness harness(kernelText("ptr addrspace(1) %x, ptr addrspace(1) %y",
                             "  %v = load i16, ptr addrspace(1) %x, align 2\n"
                             "  store i16 %v, ptr addrspace(1) %y, align 2\n"));
  ASSERT_EQ(harness.error, "");
  auto *x = static_cast<char *>(harness.memory.allocate(4, "x")),
       *y = static_cast<char *>(harness.memory.allocate(4, "y"));
  harness.memory.define(x, 1);
  std::vector<Finding> findings = harness.launch(1, {&x, &y});
  ASSERT_EQ(findings.size(), 1u) << describe(findings);
  EXPECT_EQ(findings[0].kind, FindingKind::Uninitialised);
  harness.memory.define(x + 1, 1);
  EXPECT_EQ(describe(harness.launch(1, {&x, &y})), "");
}

/// Thread 0 of each warp writes, then all synchronise as `order` says, then thread 1 reads.
std::string handedOver(const std::string &order, const std::string &declaration) {
  return kernelText("ptr addrspace(1) %y",
                    std::string(thread) +
                        "  %first = icmp eq i32 %t, 0\n  br i1 %first, label %write, label %join\n"
                        "write:\n  store i32 5, ptr addrspace(3) @s, align 4\n  br label %join\n"
                        "join:\n" +
                        order +
                        "  %second = icmp eq i32 %t, 1\n  br i1 %second, label %read, label %end\n"
                        "read:\n  %v = load i32, ptr addrspace(3) @s, align 4\n"
                        "  store i32 %v, ptr addrspace(1) %y, align 4\n  br label %end\nend:\n",
                    "@s = internal addrspace(3) global i32 undef, align 4\n" + declaration);
}

TEST(Emulator, ShufflesDoNotOrderMemoryButWarpBarriersDo) {
  auto found = [](const std::string &order, const std::string &declaration) {
    Harness harness(handedOver(order, declaration));
    EXPECT_EQ(harness.error, "");
    int32_t *y = harness.buffer(std::vector<int32_t>(1, 0), "y");
    std::vector<Finding> findings = harness.launch(32, {&y});
    return findings.empty() ? std::string() : name(findings[0].kind);
  };
  EXPECT_EQ(found("  call void @llvm.nvvm.bar.warp.sync(i32 -1)\n", "declare void @llvm.nvvm.bar.warp.sync(i32)"), "");
  EXPECT_EQ(found("  call void @llvm.nvvm.barrier0()\n", ""), "");
  EXPECT_EQ(found("  %s = call i32 @llvm.nvvm.shfl.sync.bfly.i32(i32 -1, i32 %t, i32 1, i32 31)\n",
                  "declare i32 @llvm.nvvm.shfl.sync.bfly.i32(i32, i32, i32, i32)"),
            "race");
  EXPECT_EQ(found("", ""), "race");
}

TEST(Emulator, TwoReadersOfAWarpAndAWriterOfThatWarpRace) {
  // Threads 0 and 1 read, then thread 1 writes: its own read is no excuse.
  Harness harness(kernelText("ptr addrspace(1) %x",
                             std::string(thread) +
                                 "  %v = load i32, ptr addrspace(1) %x, align 4\n"
                                 "  %last = icmp eq i32 %t, 1\n  br i1 %last, label %write, label %end\n"
                                 "write:\n  store i32 %v, ptr addrspace(1) %x, align 4\n  br label %end\nend:\n"));
  ASSERT_EQ(harness.error, "");
  int32_t *x = harness.buffer(std::vector<int32_t>(1, 0), "x");
  std::vector<Finding> findings = harness.launch(2, {&x});
  ASSERT_EQ(findings.size(), 1u) << describe(findings);
  EXPECT_EQ(findings[0].kind, FindingKind::Race);
}

TEST(Emulator, LaunchesAreOrdered) {
  Harness harness(reversed("  store i32 %t, ptr addrspace(1) %p, align 4\n"));
  ASSERT_EQ(harness.error, "");
  int32_t *y = harness.buffer(std::vector<int32_t>(8, 0), "y"), n = 8;
  for (int round = 0; round < 3; ++round)
    EXPECT_EQ(describe(harness.launch(8, {&y, &n})), "");
  EXPECT_EQ(harness.launch(8, {&y, &n}, {}, 2).at(0).kind, FindingKind::RaceAcrossBlocks);
}

} // namespace
} // namespace bifocal::emulator::test
