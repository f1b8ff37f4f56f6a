// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/cuda/CudaDevice.h"

#include "runtime/core/Session.h"
#include "runtime/cpu/CpuDevice.h"
#include "runtime/cpu/Gemm.h"
#include "runtime/cpu/SharedObject.h"
#include "test/Runtime/ArtifactBuilder.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <functional>
#include <gtest/gtest.h>

using namespace bifocal;

namespace {

/// A GPU that runs TestKernels.cpp and keeps count. A recording is a list of what it was asked for, with the values of
/// that time.
struct FakeDriver final : cuda::Driver {
  struct Counts {
    int launches = 0, products = 0, recordings = 0, replays = 0, allocations = 0;
  };
  explicit FakeDriver(Counts &counts) : counts(counts) {}

  std::string description() const override { return "fake"; }
  Result<std::byte *> allocate(size_t bytes, cuda::MemoryKind) override {
    EXPECT_FALSE(recording) << "an allocation cannot be recorded";
    ++counts.allocations;
    return static_cast<std::byte *>(std::calloc(bytes, 1));
  }
  void release(std::byte *memory, cuda::MemoryKind) override { std::free(memory); }

  Status load(const DeviceCode &loaded) override {
    code = &loaded;
    const std::vector<std::byte> bytes = test::testKernels();
    Result<std::unique_ptr<SharedObject>> opened = SharedObject::load(bytes, "fake");
    EXPECT_TRUE(opened.ok());
    object = opened.take();
    return {};
  }
  Result<size_t> find(const std::string &function, int64_t) override {
    const auto found = std::ranges::find(code->kernels, function, &DeviceKernel::function);
    return static_cast<size_t>(found - code->kernels.begin());
  }

  Status launch(const cuda::Launch &launch) override {
    ++counts.launches;
    const DeviceKernel &kernel = code->kernels[launch.function];
    EXPECT_EQ(launch.threads, 32 * kernel.warps);
    EXPECT_EQ(launch.parameters.size(), kernel.buffers.size() + kernel.sizes.size() + 1);
    std::vector<void *> buffers;
    std::vector<int64_t> sizes;
    for (void *parameter : launch.parameters.first(kernel.buffers.size()))
      buffers.push_back(*static_cast<void **>(parameter));
    for (void *parameter : launch.parameters.subspan(kernel.buffers.size()))
      sizes.push_back(*static_cast<int64_t *>(parameter));
    const int64_t tiles = sizes.back();
    EXPECT_EQ(launch.blocks, (tiles + kernel.warps - 1) / kernel.warps);
    auto *run = reinterpret_cast<CpuKernel>(object->find(kernel.name));
    return doOrRecord([=] { run(buffers.data(), sizes.data(), 0, tiles); });
  }
  Status multiply(const cuda::Product &product) override {
    ++counts.products;
    EXPECT_TRUE(product.transB && !product.transA && !product.accumulate);
    auto *run = reinterpret_cast<CpuKernel>(object->find("gemm_nt.2"));
    return doOrRecord([=] {
      void *const buffers[] = {const_cast<std::byte *>(product.a), const_cast<std::byte *>(product.b), product.c};
      const int64_t sizes[] = {product.m,       product.n,       product.k,      0, product.m, product.n, 0,
                               product.strideA, product.strideB, product.strideC};
      run(buffers, sizes, 0, 1);
    });
  }
  Status fill(cuda::Range range, uint32_t word) override {
    return doOrRecord([=] {
      for (int64_t at = 0; at + 4 <= range.bytes; at += 4)
        std::memcpy(range.begin + at, &word, 4);
    });
  }
  Status copy(std::byte *to, const std::byte *from, int64_t bytes) override {
    return doOrRecord([=] { std::memcpy(to, from, static_cast<size_t>(bytes)); });
  }
  Status wait() override { return {}; }

  bool records() const override { return true; }
  Status beginRecording() override {
    ++counts.recordings;
    recording = true;
    recordings.emplace_back();
    return {};
  }
  Result<size_t> endRecording() override {
    recording = false;
    return recordings.size() - 1;
  }
  Status replay(size_t number) override {
    ++counts.replays;
    for (const std::function<void()> &step : recordings[number])
      step();
    return {};
  }
  void forgetRecordings() override { recordings.clear(); }

  Status doOrRecord(std::function<void()> step) {
    if (recording)
      recordings.back().push_back(std::move(step));
    else
      step();
    return {};
  }

  Counts &counts;
  const DeviceCode *code = nullptr;
  std::unique_ptr<SharedObject> object;
  bool recording = false;
  std::vector<std::vector<std::function<void()>>> recordings;
};

nlohmann::json kernelTable() {
  const auto kernel = [](const char *name, int64_t warps, std::vector<int64_t> buffers, std::vector<int64_t> sizes) {
    return nlohmann::json{{"name", name},      {"function", std::string("gpu ") + name}, {"warps", warps},
                          {"shared_bytes", 0}, {"buffers", std::move(buffers)},          {"sizes", std::move(sizes)}};
  };
  return {{"kernels",
           {kernel("sum.1", 1, {0, 1, 2}, {0}), kernel("sum.0", 4, {0, 1, 2}, {0}),
            kernel("bias_relu.0", 4, {0, 1}, {0, 1}), kernel("double.0", 2, {0, 1}, {0}),
            kernel("descend.0", 4, {0, 1}, {0})}}};
}

std::vector<std::byte> bytesOf(const std::string &text) {
  const auto *begin = reinterpret_cast<const std::byte *>(text.data());
  return {begin, begin + text.size()};
}

Result<std::unique_ptr<Session>> open(FakeDriver::Counts &counts, const nlohmann::json &table = kernelTable(),
                                      const nlohmann::json &plan = test::examplePlan()) {
  const std::vector<std::byte> bytes =
      test::buildArtifact(test::exampleManifest(), plan, {{"kernels/cuda.json", bytesOf(table.dump())}});
  Result<std::shared_ptr<const Artifact>> artifact = Artifact::fromBytes(bytes);
  if (!artifact.ok())
    return artifact.status();
  return Session::create(*artifact, makeCudaDevice(std::make_unique<FakeDriver>(counts)), /*training=*/true);
}

/// y and, at its end, the sum.
std::vector<float> runLayer(Session &session, int64_t rows, float scale = 1) {
  std::vector<float> x, y(static_cast<size_t>(rows * 4) + 1);
  for (int64_t i = 0; i < rows * 8; ++i)
    x.push_back(scale * static_cast<float>(i % 11 - 5));
  const TensorView in(ElementType::f32, {rows, 8}, x.data());
  const TensorView out[] = {TensorView(ElementType::f32, {rows, 4}, y.data()),
                            TensorView(ElementType::f32, {}, &y.back())};
  const Status status = session.run("layer", {&in, 1}, out);
  EXPECT_TRUE(status.ok()) << status.message();
  return y;
}

TEST(CudaDevice, givesWhatTheCpuGivesHoweverOftenItIsCalled) {
  FakeDriver::Counts counts;
  Result<std::unique_ptr<Session>> gpu = open(counts);
  ASSERT_TRUE(gpu.ok()) << gpu.status().message();
  Result<std::shared_ptr<const Artifact>> artifact = Artifact::fromBytes(test::exampleArtifact());
  Result<std::unique_ptr<Session>> cpu = Session::create(*artifact, makeCpuDevice({.threads = 1}), true);
  ASSERT_TRUE(cpu.ok());
  (*gpu)->initialize(7), (*cpu)->initialize(7);
  // 700 first: the arena has its size. Each shape as it is, recorded, and replayed with other inputs.
  for (int64_t rows : {700, 1, 3, 4, 17})
    for (float scale : {1.0f, 2.0f, 3.0f})
      EXPECT_EQ(runLayer(**gpu, rows, scale), runLayer(**cpu, rows, scale)) << rows << " rows, " << scale;
  EXPECT_EQ(counts.recordings, 5);
  EXPECT_EQ(counts.replays, 10);
}

TEST(CudaDevice, replaysAllocateAndLaunchNothing) {
  FakeDriver::Counts counts;
  Result<std::unique_ptr<Session>> session = open(counts);
  ASSERT_TRUE(session.ok()) << session.status().message();
  (*session)->initialize(7);
  runLayer(**session, 17), runLayer(**session, 17);
  const FakeDriver::Counts before = counts;
  for (int repeat = 0; repeat < 3; ++repeat)
    runLayer(**session, 17);
  EXPECT_EQ(counts.launches, before.launches);
  EXPECT_EQ(counts.products, before.products);
  EXPECT_EQ(counts.allocations, before.allocations);
  EXPECT_EQ(counts.replays, before.replays + 3);
}

TEST(CudaDevice, recordsAnewWhereMemoryHasMoved) {
  FakeDriver::Counts counts;
  Result<std::unique_ptr<Session>> session = open(counts);
  ASSERT_TRUE(session.ok()) << session.status().message();
  (*session)->initialize(7);
  const std::vector<float> first = runLayer(**session, 17);
  EXPECT_EQ(runLayer(**session, 17), first);
  EXPECT_EQ(counts.recordings, 1);
  runLayer(**session, 700); // a larger arena, and larger blocks for inputs and outputs
  for (int repeat = 0; repeat < 3; ++repeat)
    EXPECT_EQ(runLayer(**session, 17), first);
  EXPECT_EQ(counts.recordings, 2);
}

TEST(CudaDevice, showsTheHostWhatKernelsWroteAndTakesWhatItWrites) {
  FakeDriver::Counts counts;
  Result<std::unique_ptr<Session>> session = open(counts);
  ASSERT_TRUE(session.ok()) << session.status().message();
  (*session)->initialize(7);
  std::ranges::fill((*session)->gradients(), 0.25f);
  std::vector<float> expected((*session)->parameters().begin(), (*session)->parameters().end());
  for (int update = 1; update <= 4; ++update) {
    ASSERT_TRUE((*session)->run("descend", {}, {}).ok());
    const std::span<float> now = (*session)->parameters();
    for (size_t i = 0; i < 48; ++i)
      EXPECT_EQ(now[i], expected[i] -= 0.25f);
  }
}

TEST(CudaDevice, refusesKernelsThatDoNotFit) {
  FakeDriver::Counts counts;
  const auto message = [&](const nlohmann::json &table) {
    const Result<std::unique_ptr<Session>> session = open(counts, table);
    return session.ok() ? "" : session.status().message();
  };
  nlohmann::json table = kernelTable();
  table["kernels"].erase(3); // double
  EXPECT_EQ(message(table), "entry 'layer' expects the kernel 'double.0' among those for GPUs (step at )");
  table = kernelTable();
  table["kernels"][0]["buffers"] = {0, 3};
  EXPECT_EQ(message(table),
            "entry 'layer' has 3 buffers and 1 sizes for the kernel 'sum.1', which expects more (step at )");
  table = kernelTable();
  table["kernels"][0]["tiles"] = {"ceildiv", "s1", 4};
  EXPECT_EQ(message(table),
            "entry 'layer' has 3 buffers and 1 sizes for the kernel 'sum.1', which expects more (step at )");
  table = kernelTable();
  table["kernels"] = nlohmann::json::array();
  EXPECT_EQ(
      message(table),
      "the artifact has no kernels for GPUs: compile it with --target=cuda:sm_80 or another architecture, or with "
      "--target=cuda-emu for the emulator");
  table = kernelTable();
  table["kernels"][1]["name"] = "sum.1";
  EXPECT_EQ(message(table), "kernel table: expects distinct names, but 'sum.1' is there twice");
  table = kernelTable();
  table["kernels"][1]["warps"] = 33;
  EXPECT_EQ(message(table), "kernels[1].warps: expects from 1 to 32, but got 33");
  table = kernelTable();
  table["kernels"][1]["sizes"] = {-1};
  EXPECT_EQ(message(table), "kernels[1].sizes: expects positions in the launch");
  table = kernelTable();
  table["kernels"][1]["tiles"] = {"+", "s0"};
  EXPECT_EQ(message(table), "kernels[1].tiles: expects an expression: an integer, a symbol or [op, a, b]");
}

TEST(CudaDevice, kernelsMayCutTheirWorkOtherwiseThanThePlan) {
  FakeDriver::Counts counts;
  const auto layerWith = [&](const nlohmann::json &tiles) {
    nlohmann::json table = kernelTable();
    table["kernels"][3]["tiles"] = tiles; // double, in the plan a tile for each row of four elements
    Result<std::unique_ptr<Session>> session = open(counts, table);
    EXPECT_TRUE(session.ok()) << session.status().message();
    (*session)->initialize(7);
    return session.take();
  };
  const std::vector<float> expected = runLayer(*layerWith({"ceildiv", "s0", 4}), 3);
  const int64_t launches = counts.launches;
  Result<std::unique_ptr<Session>> planned = open(counts);
  ASSERT_TRUE(planned.ok());
  (*planned)->initialize(7);
  EXPECT_EQ(runLayer(**planned, 3), expected);
  EXPECT_EQ(counts.launches, 2 * launches);
  EXPECT_NE(runLayer(*layerWith(0), 3), expected);
  EXPECT_EQ(counts.launches, 3 * launches - 1) << "no tiles, no launch";
  const auto complaint = [&](const nlohmann::json &tiles) {
    std::vector<float> x(8), y(4), sum(1);
    const TensorView in(ElementType::f32, {1, 8}, x.data());
    const TensorView out[] = {TensorView(ElementType::f32, {1, 4}, y.data()),
                              TensorView(ElementType::f32, {}, sum.data())};
    return layerWith(tiles)->run("layer", {&in, 1}, out).message();
  };
  for (const auto &[tiles, said] :
       {std::pair(nlohmann::json({"floordiv", "s0", 0}), "the number of tiles, floordiv(s0, 0), cannot be computed"),
        std::pair(nlohmann::json(-1), "the number of tiles, -1, cannot be computed"),
        std::pair(nlohmann::json(int64_t{1} << 62), "expects at most 2147483647 blocks, but got ")})
    EXPECT_NE(complaint(tiles).find(fmt::format("kernel 'double.0': {}", said)), std::string::npos) << complaint(tiles);
}

} // namespace
