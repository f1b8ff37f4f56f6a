// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Session.h"

#include "bench/AllocationCounter.h"
#include "runtime/core/Weights.h"
#include "runtime/cpu/CpuDevice.h"
#include "test/Runtime/SessionOfExample.h"

#include <bit>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <functional>
#include <gtest/gtest.h>

using namespace bifocal;
using test::makeSession, test::ramp, test::runLayer;

namespace {

TEST(Session, computesWhatThePlanSays) {
  std::unique_ptr<Session> session = makeSession();
  ASSERT_NE(session, nullptr);
  session->initialize(7);
  for (size_t i = 0; i < 4; ++i)
    session->parameters()[32 + i] = static_cast<float>(i) - 1.5f;
  for (int64_t rows : {1, 2, 3, 4, 17, 700}) {
    Result<std::vector<float>> result = runLayer(*session, rows);
    ASSERT_TRUE(result.ok()) << result.status().message();
    const std::vector<float> x = ramp(rows * 8);
    double sum = 0;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < 4; ++c) {
        double expected = session->parameters()[static_cast<size_t>(32 + c)], magnitude = std::abs(expected);
        for (int64_t k = 0; k < 8; ++k) {
          const double term = static_cast<double>(x[static_cast<size_t>(r * 8 + k)]) *
                              session->parameters()[static_cast<size_t>(c * 8 + k)];
          expected += term, magnitude += std::abs(term);
        }
        expected = 2 * std::max(0.0, expected);
        sum += expected;
        // Nine terms, each rounded once or twice: at most 10 units of 2^-24 of the sum of magnitudes, doubled.
        EXPECT_NEAR((*result)[static_cast<size_t>(r * 4 + c)], expected, 20 * magnitude * 0x1p-24);
      }
    EXPECT_NEAR(result->back(), sum, (4.0 * static_cast<double>(rows) + 20) * sum * 0x1p-24);
  }
}

TEST(Session, givesTheSameBitsForOneAndTwoThreads) {
  std::unique_ptr<Session> one = makeSession(1), two = makeSession(2);
  one->initialize(3), two->initialize(3);
  for (int64_t rows : {1, 15, 16, 300, 1033})
    EXPECT_EQ(*runLayer(*one, rows), *runLayer(*two, rows)) << rows;
}

TEST(Session, arenaIsExactlyTheFormulaAndOnlyGrows) {
  std::unique_ptr<Session> session = makeSession();
  session->initialize(1);
  EXPECT_EQ(session->arenaBytes(), 0u);
  for (int64_t rows : {5, 100, 33}) {
    ASSERT_TRUE(runLayer(*session, rows).ok());
    const int64_t largest = rows == 5 ? 5 : 100;
    const TensorView in(ElementType::f32, {largest, 8}, nullptr);
    Result<int64_t> peak = session->peakBytes("layer", std::span(&in, 1));
    ASSERT_TRUE(peak.ok());
    EXPECT_EQ(*peak, 16 * 16 + 16 * ((largest + 15) / 16 * 16));
    EXPECT_EQ(session->arenaBytes(), static_cast<size_t>(*peak));
  }
  EXPECT_EQ(session->artifact().plan().find("layer")->peakFormula(), "256 + 16 * roundup16(B)");
}

TEST(Session, allocatesNothingInSteadyState) {
  if (!allocationsAreCounted())
    GTEST_SKIP() << "a sanitizer owns malloc";
  std::unique_ptr<Session> session = makeSession();
  session->initialize(1);
  std::vector<float> x = ramp(400 * 8), y(400 * 4);
  float sum = 0;
  const auto run = [&](int64_t rows) {
    const TensorView in(ElementType::f32, {rows, 8}, x.data());
    const TensorView out[] = {TensorView(ElementType::f32, {rows, 4}, y.data()),
                              TensorView(ElementType::f32, {}, &sum)};
    return session->run("layer", {&in, 1}, out).ok();
  };
  ASSERT_TRUE(run(400));
  const int64_t before = allocationCount();
  for (int64_t rows : {399, 17, 250, 1, 400})
    ASSERT_TRUE(run(rows));
  EXPECT_EQ(allocationCount(), before);
  // The counter itself must see an allocation.
  const int64_t counted = allocationCount();
  std::vector<float> seen(1000);
  EXPECT_GT(seen.size(), 0u);
  EXPECT_EQ(allocationCount(), counted + 1);
}

TEST(Session, refusesArgumentsThatDoNotFit) {
  std::unique_ptr<Session> session = makeSession();
  std::vector<float> memory(1000);
  const auto message = [&](std::string_view entry, std::vector<TensorView> in, std::vector<TensorView> out) {
    return session->run(entry, in, out).message();
  };
  const TensorView x(ElementType::f32, {2, 8}, memory.data()), y(ElementType::f32, {2, 4}, memory.data()),
      sum(ElementType::f32, {}, memory.data());
  EXPECT_EQ(message("layer", {}, {y, sum}), "entry 'layer' expects 1 inputs and 2 outputs, but got 0 and 2");
  EXPECT_EQ(message("layers", {x}, {y, sum}),
            "expects an entry point out of descend, layer, remember, but got 'layers'");
  EXPECT_EQ(message("layer", {TensorView(ElementType::i32, {2, 8}, memory.data())}, {y, sum}),
            "input 'x' expects elements of type f32, but got i32");
  EXPECT_EQ(message("layer", {TensorView(ElementType::f32, {2, 9}, memory.data())}, {y, sum}),
            "input 'x' expects 8 on axis 1, but got 9");
  EXPECT_EQ(message("layer", {TensorView(ElementType::f32, {16}, memory.data())}, {y, sum}),
            "input 'x' expects 2 axes, but got 1");
  EXPECT_EQ(message("layer", {x}, {TensorView(ElementType::f32, {3, 4}, memory.data()), sum}),
            "output 'y' expects 2 on axis 0, but got 3");
  EXPECT_EQ(message("layer", {TensorView(ElementType::f32, {2, 8}, nullptr)}, {y, sum}),
            "input 'x' expects 64 bytes of memory, but got none");
  EXPECT_EQ(message("descend", {}, {}), "entry 'descend' expects a session created for training");
}

TEST(Session, keepsStatesBetweenCalls) {
  std::unique_ptr<Session> session = makeSession();
  std::vector<float> x = ramp(3 * 2 * 4), old(3 * 2 * 4, -1.0f);
  const TensorView in(ElementType::f32, {3, 2, 4}, x.data()), out(ElementType::f32, {3, 2, 4}, old.data());
  EXPECT_EQ(session->run("remember", {&in, 1}, {&out, 1}).message(),
            "entry 'remember' expects sizeStates to be called before it");
  ASSERT_TRUE(session->sizeStates({{"R", 2}}).ok());
  ASSERT_TRUE(session->run("remember", {&in, 1}, {&out, 1}).ok());
  EXPECT_EQ(old, std::vector<float>(24, 0.0f));
  ASSERT_TRUE(session->run("remember", {&in, 1}, {&out, 1}).ok());
  EXPECT_EQ(old, x);
  // R is an inner axis of the state: another value would be another layout.
  ASSERT_TRUE(session->sizeStates({{"R", 5}}).ok());
  EXPECT_EQ(session->run("remember", {&in, 1}, {&out, 1}).message(),
            "entry 'remember' expects R = 5 as the states were sized, but the inputs have 2");
  EXPECT_EQ(session->sizeStates({}).message(), "expects a value >= 0 for the symbol R of the states");
}

// One element for each row of A as it is stored, whatever the kernel's name says behind that.
TEST(Session, expectsAMaskForEveryRow) {
  nlohmann::json plan = test::examplePlan();
  nlohmann::json &layer = plan["entries"]["layer"];
  layer["buffers"][6]["dtype"] = "i1";
  layer["steps"][0]["mask"] = 6;
  layer["steps"][0]["loc"] = "model.toml:3:1";
  std::unique_ptr<Session> session = makeSession(2, false, plan);
  ASSERT_NE(session, nullptr);
  session->initialize(1);
  EXPECT_TRUE(runLayer(*session, 256).ok());
  EXPECT_EQ(runLayer(*session, 257).status().message(),
            "entry 'layer', step 'gemm' at model.toml:3:1: expects a mask for 257 rows, but got 256 bytes in buffer 6");
}

TEST(Session, keepsPanelsAsLongAsItsParametersStay) {
  std::unique_ptr<Session> plain = makeSession(), kept = makeSession(2, true, test::examplePlanWithPanels());
  plain->initialize(3), kept->initialize(3);
  float *const weight = kept->parameters().data();
  // A call without rows is the first: the next one counts on the panels all the same.
  for (int64_t rows : {0, 5, 1, 63, 65, 300, 2})
    EXPECT_EQ(*runLayer(*plain, rows), *runLayer(*kept, rows)) << rows;
  const std::vector<float> before = *runLayer(*kept, 300);
  // Behind the session's back: the copy is what counts, which shows that no call made it anew.
  weight[0] += 1;
  EXPECT_EQ(*runLayer(*kept, 300), before);
  plain->parameters()[0] += 1;
  kept->parameters();
  EXPECT_EQ(*runLayer(*kept, 300), *runLayer(*plain, 300));
  EXPECT_NE(*runLayer(*kept, 300), before);
  // An update of the parameters, which may stand in the same plan.
  for (float &value : kept->gradients())
    value = 0.5f;
  ASSERT_TRUE(kept->run("descend", {}, {}).ok());
  for (float &value : plain->parameters().first(48))
    value -= 0.5f;
  EXPECT_EQ(*runLayer(*kept, 300), *runLayer(*plain, 300));
}

TEST(Session, trainsInPlace) {
  std::unique_ptr<Session> session = makeSession(2, true);
  session->initialize(5);
  const std::vector<float> before(session->parameters().begin(), session->parameters().end());
  ASSERT_EQ(session->gradients().size(), 48u);
  for (size_t i = 0; i < 48; ++i)
    session->gradients()[i] = static_cast<float>(i);
  ASSERT_TRUE(session->run("descend", {}, {}).ok());
  for (size_t i = 0; i < 80; ++i)
    EXPECT_EQ(session->parameters()[i], i < 48 ? before[i] - static_cast<float>(i) : before[i]) << i;
}

TEST(Session, profilesFamilies) {
  std::unique_ptr<Session> session = makeSession();
  session->initialize(5);
  ASSERT_TRUE(runLayer(*session, 7).ok());
  EXPECT_TRUE(session->profileResult().empty());
  session->profile(true);
  ASSERT_TRUE(runLayer(*session, 7).ok());
  std::map<std::string, int64_t> calls;
  for (const FamilyTime &time : session->profileResult())
    calls[time.family] = time.calls;
  EXPECT_EQ(calls, (std::map<std::string, int64_t>{{"gemm", 1}, {"double", 3}, {"fill", 1}, {"reduce", 1}}));
  EXPECT_EQ(session->profiledFlops(), 2.0 * 7 * 4 * 8);
}

TEST(Session, namesAKernelThatIsMissing) {
  // A product needs all of its stages; there is only one of "gemm_tn".
  for (const auto &[step, kernel, missing] :
       {std::tuple(3, "product", "product.0"), std::tuple(0, "gemm_tt", "gemm_tt.0"),
        std::tuple(0, "gemm_tn", "gemm_tn.1")}) {
    nlohmann::json plan = test::examplePlan();
    plan["entries"]["layer"]["steps"][step]["kernel"] = kernel;
    plan["entries"]["layer"]["steps"][step]["loc"] = "model.toml:3:1";
    Result<std::shared_ptr<const Artifact>> artifact = Artifact::fromBytes(test::exampleArtifact(plan));
    ASSERT_TRUE(artifact.ok()) << artifact.status().message();
    Result<std::unique_ptr<Session>> session = Session::create(*artifact, makeCpuDevice(), false);
    EXPECT_EQ(
        session.status().message(),
        fmt::format("entry 'layer' expects the kernel '{}' in the host object (step at model.toml:3:1)", missing));
  }
}

TEST(Session, packsProductsIntoTheWorkspace) {
  // 4 columns, rounded up to 32, times 8 steps, rounded up to 16.
  constexpr int64_t bytes = 32 * 16 * 4;
  std::unique_ptr<Session> plain = makeSession(),
                           packed = makeSession(2, false, test::examplePlanWithWorkspace(bytes / 16));
  ASSERT_TRUE(plain && packed);
  plain->initialize(3), packed->initialize(3);
  for (const int64_t rows : {1, 64, 65, 700}) {
    Result<std::vector<float>> expected = runLayer(*plain, rows), result = runLayer(*packed, rows);
    ASSERT_TRUE(result.ok()) << result.status().message();
    EXPECT_EQ(*result, *expected) << rows;
  }
  EXPECT_EQ(packed->arenaBytes(), plain->arenaBytes() + bytes);
}

TEST(Session, refusesAWorkspaceThatIsTooSmall) {
  nlohmann::json plan = test::examplePlanWithWorkspace(32 * 16 * 4 / 16 - 4);
  plan["entries"]["layer"]["steps"][0]["loc"] = "model.toml:3:1";
  std::unique_ptr<Session> session = makeSession(2, false, plan);
  ASSERT_NE(session, nullptr);
  for (const int64_t rows : {1, 700})
    EXPECT_EQ(runLayer(*session, rows).status().message(),
              "entry 'layer', step 'gemm' at model.toml:3:1: expects room for 1 x 512 f32 in workspace, but got 1984 "
              "bytes in buffer 7");
}

// The weight of the example in half of its memory.
TEST(Session, multipliesMatricesOfOtherElementTypes) {
  nlohmann::json plan = test::examplePlan();
  plan["entries"]["layer"]["buffers"][1]["dtype"] = "bf16";
  plan["entries"]["layer"]["steps"][0]["kernel"] = "gemm_nt_f32_bf16_f32";
  std::unique_ptr<Session> narrow = makeSession(2, false, plan), wide = makeSession();
  ASSERT_TRUE(narrow && wide);
  auto *weight = reinterpret_cast<uint16_t *>(narrow->parameters().data());
  for (size_t i = 0; i < 32; ++i) {
    wide->parameters()[i] = static_cast<float>(i % 7) - 3.0f;
    weight[i] = static_cast<uint16_t>(std::bit_cast<uint32_t>(wide->parameters()[i]) >> 16);
  }
  for (size_t i = 0; i < 4; ++i)
    wide->parameters()[32 + i] = narrow->parameters()[32 + i] = static_cast<float>(i) - 1.5f;
  for (const int64_t rows : {1, 17, 700}) {
    const Result<std::vector<float>> expected = runLayer(*wide, rows), found = runLayer(*narrow, rows);
    ASSERT_TRUE(expected.ok() && found.ok()) << found.status().message();
    EXPECT_EQ(*found, *expected);
  }
  // 128 bytes are room for 8 rows of 8, so that C is what is too small, and not for 9.
  plan["entries"]["layer"]["steps"][0]["n"] = 8;
  narrow = makeSession(2, false, plan);
  EXPECT_EQ(runLayer(*narrow, 9).status().message(),
            "entry 'layer', step 'gemm' at : expects room for 9 x 8 f32 in c, but got 256 bytes in buffer 3");
  plan["entries"]["layer"]["steps"][0]["n"] = 9;
  narrow = makeSession(2, false, plan);
  EXPECT_EQ(runLayer(*narrow, 5).status().message(),
            "entry 'layer', step 'gemm' at : expects room for 9 x 8 bf16 in b, but got 128 bytes in buffer 1");
}

/// What a call of the example says after a change of its steps.
std::string stepError(int64_t rows, const std::function<void(nlohmann::json &)> &change) {
  nlohmann::json plan = test::examplePlan();
  change(plan["entries"]["layer"]["steps"]);
  std::unique_ptr<Session> session = makeSession(2, false, plan);
  return session ? runLayer(*session, rows).status().message() : "";
}

TEST(Session, namesASizeThatDoesNotFit) {
  const std::string gemm = "entry 'layer', step 'gemm' at : expects ";
  const std::string rule = " is not negative and fits in 64 bits, but got ";
  EXPECT_EQ(stepError(5,
                      [](auto &steps) {
                        steps[0]["m"] = {"+", "B", 1};
                      }),
            gemm + "room for 6 x 8 f32 in a, but got 160 bytes in buffer 0");
  EXPECT_EQ(stepError(5, [](auto &steps) { steps[0]["n"] = 5; }),
            gemm + "room for 5 x 8 f32 in b, but got 128 bytes in buffer 1");
  EXPECT_EQ(stepError(20, [](auto &steps) { steps[0]["c"] = 6; }),
            gemm + "room for 20 x 4 f32 in c, but got 256 bytes in buffer 6");
  EXPECT_EQ(stepError(5,
                      [](auto &steps) {
                        steps[0]["k"] = {"-", "B", 6};
                      }),
            gemm + "that k" + rule + "(B - 6) with B = 5, W = 0");
  EXPECT_EQ(stepError(5,
                      [](auto &steps) {
                        steps[0]["epilogue"]["sizes"][1] = {"ceildiv", "B", {"-", "B", 5}};
                      }),
            gemm + "that the size 1" + rule + "ceildiv(B, (B - 5)) with B = 5, W = 0");
  EXPECT_EQ(stepError(5,
                      [](auto &steps) {
                        steps[1]["rows"] = {"-", "B", 6};
                      }),
            "entry 'layer', step 'slabs' at : expects that the number of rows" + rule + "(B - 6) with B = 5, W = 0");
  EXPECT_EQ(stepError(5,
                      [](auto &steps) {
                        steps[1]["body"][0]["stages"][0] = {"-", "W", 3};
                      }),
            "entry 'layer', step 'double' at : expects that the number of tiles of stage 0" + rule +
                "(W - 3) with B = 5, W = 2");
  EXPECT_EQ(stepError(5,
                      [](auto &steps) {
                        steps[1]["body"] = {{{"op", "fill"}, {"buffer", {{"id", 4}, {"row_bytes", 64}}}, {"value", 0}}};
                      }),
            "entry 'layer', step 'fill' at : expects buffer to have the 3 rows of 64 bytes before the window, but got "
            "80 bytes in buffer 4");
}

TEST(Session, doesNothingForSizesOfZero) {
  std::unique_ptr<Session> session = makeSession(2, false, test::examplePlanWithWorkspace(32 * 16 * 4 / 16));
  ASSERT_NE(session, nullptr);
  Result<std::vector<float>> result = runLayer(*session, 0);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(*result, std::vector<float>{0.0f});
}

TEST(Session, refusesAnArtifactForOtherProcessors) {
  Result<std::shared_ptr<const Artifact>> artifact = Artifact::fromBytes(
      test::buildArtifact(test::exampleManifest(), test::examplePlan(), {{"host/armv9.so", test::testKernels()}}));
  ASSERT_TRUE(artifact.ok()) << artifact.status().message();
  Result<std::unique_ptr<Session>> session = Session::create(*artifact, makeCpuDevice(), false);
  EXPECT_EQ(session.status().code(), StatusCode::unsupported);
}

TEST(Session, readsWeightsByNameAndAlias) {
  const std::string path = std::filesystem::temp_directory_path() / "bifocal-session-test.safetensors";
  const std::vector<float> weight = ramp(32), bias = {1, 2, 3, 4};
  const auto write = [&](std::string name, std::vector<int64_t> shape, std::string extra) {
    std::vector<SafetensorsItem> items = {{std::move(name), ElementType::f32, std::move(shape), weight.data()},
                                          {"bias", ElementType::f32, {4}, bias.data()},
                                          {std::move(extra), ElementType::f32, {4}, bias.data()}};
    return writeSafetensors(path, items);
  };
  std::unique_ptr<Session> session = makeSession();
  ASSERT_TRUE(write("tied", {4, 8}, "optimizer.moment1.bias").ok());
  const Status status = readParameters(*session, path);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_TRUE(std::equal(weight.begin(), weight.end(), session->parameters().begin()));
  EXPECT_EQ(session->parameters()[33], 2.0f);
  EXPECT_EQ(session->parameters()[48 + 2], 1.0f) << "the table comes from its initialiser: cos 0";
  ASSERT_TRUE(write("weight", {8, 4}, "optimizer.moment1.bias").ok());
  EXPECT_EQ(readParameters(*session, path).code(), StatusCode::malformed);
  ASSERT_TRUE(write("weight", {4, 8}, "stray").ok());
  EXPECT_EQ(readParameters(*session, path).code(), StatusCode::malformed);
  std::filesystem::remove(path);
}

} // namespace
