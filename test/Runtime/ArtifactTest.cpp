// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Artifact.h"
#include "runtime/core/ArtifactFormat.h"

#include "test/Runtime/ArtifactBuilder.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace bifocal;
using namespace bifocal::test;
using nlohmann::json;

namespace {

/// The example with kernels that are only a few bytes, for tests that read it very often.
std::vector<std::byte> smallArtifact() {
  return buildArtifact(exampleManifest(), examplePlan(),
                       {{"host/x86-64-v3.so", std::vector<std::byte>(100, std::byte{7})}});
}

std::string planError(const std::function<void(json &)> &change) {
  json plan = examplePlan();
  change(plan["entries"]["layer"]);
  return Artifact::fromBytes(buildArtifact(exampleManifest(), plan, {})).status().message();
}

std::string manifestError(const std::function<void(json &)> &change) {
  json manifest = exampleManifest();
  change(manifest);
  return Artifact::fromBytes(buildArtifact(manifest, examplePlan(), {})).status().message();
}

TEST(Artifact, readsWhatIsThere) {
  Result<std::shared_ptr<const Artifact>> artifact = Artifact::fromBytes(exampleArtifact());
  ASSERT_TRUE(artifact.ok()) << artifact.status().message();
  const Manifest &manifest = (*artifact)->manifest();
  EXPECT_EQ(manifest.compilerVersion, "0.1.0");
  ASSERT_EQ(manifest.parameters.size(), 3u);
  EXPECT_EQ(manifest.parameters[2].init.kind, InitializerSpec::Kind::sinusoidal);
  EXPECT_FALSE(manifest.parameters[2].stored);
  EXPECT_EQ(manifest.stateSymbols, std::vector<std::string>{"R"});
  const EntryPlan *layer = (*artifact)->plan().find("layer");
  ASSERT_NE(layer, nullptr);
  EXPECT_EQ(layer->steps.size(), 4u);
  EXPECT_FALSE(layer->needsTraining);
  EXPECT_EQ(layer->multiplyAdds(), "32 * B");
  EXPECT_TRUE((*artifact)->plan().find("descend")->needsTraining);
  EXPECT_EQ((*artifact)->hostObjects().size(), 2u);
}

TEST(Artifact, cutAnywhereIsAnError) {
  const std::vector<std::byte> bytes = smallArtifact();
  ASSERT_TRUE(Artifact::fromBytes(bytes).ok());
  for (size_t length = 0; length < bytes.size(); ++length) {
    const std::vector<std::byte> cut(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(length));
    const Result<std::shared_ptr<const Artifact>> artifact = Artifact::fromBytes(cut);
    ASSERT_FALSE(artifact.ok()) << length;
    ASSERT_EQ(artifact.status().code(), StatusCode::malformed) << length;
    ASSERT_FALSE(artifact.status().message().empty());
  }
}

TEST(Artifact, aChangedBitIsAnErrorOrChangesNothing) {
  std::vector<std::byte> bytes = smallArtifact();
  const Result<std::shared_ptr<const Artifact>> original = Artifact::fromBytes(bytes);
  ASSERT_TRUE(original.ok());
  size_t accepted = 0;
  for (size_t i = 0; i < bytes.size(); ++i)
    for (unsigned flip = 1; flip < 256; flip *= 2) {
      bytes[i] ^= static_cast<std::byte>(flip);
      const Result<std::shared_ptr<const Artifact>> artifact = Artifact::fromBytes(bytes);
      // Fields such as the time of an entry mean nothing to us; content is under a checksum.
      if (artifact.ok()) {
        ++accepted;
        ASSERT_EQ((*artifact)->manifest().spec, (*original)->manifest().spec) << i;
        ASSERT_EQ((*artifact)->plan().entries.size(), (*original)->plan().entries.size()) << i;
        ASSERT_EQ((*artifact)->hostObjects()[0].bytes, (*original)->hostObjects()[0].bytes) << i;
      }
      bytes[i] ^= static_cast<std::byte>(flip);
    }
  EXPECT_LT(accepted, bytes.size() * 8 / 4) << "most of the bytes are content";
}

// A checksum of the archive can be right for the wrong bytes. Without an artifact there is no session, and nothing
// runs.
TEST(Artifact, aChangedBitOfTheKernelsIsCaughtByTheirDigest) {
  std::vector<std::byte> kernels = testKernels();
  json manifest = exampleManifest();
  const std::string plan = examplePlan().dump();
  manifest["digest"] = {{"plan.json", digest(std::as_bytes(std::span(plan)))}, {"host/x86-64-v3.so", digest(kernels)}};
  const auto open = [&] {
    return Artifact::fromBytes(buildArtifact(manifest, examplePlan(), {{"host/x86-64-v3.so", kernels}}));
  };
  ASSERT_TRUE(open().ok());
  for (size_t bit = 0; bit < kernels.size() * 8; bit += 1009) {
    const auto flip = static_cast<std::byte>(1u << bit % 8);
    kernels[bit / 8] ^= flip;
    const Status status = open().status();
    ASSERT_EQ(status.code(), StatusCode::malformed) << bit;
    ASSERT_TRUE(status.message().starts_with("expects 'host/x86-64-v3.so' to have the digest ")) << status.message();
    kernels[bit / 8] ^= flip;
  }
}

TEST(Artifact, comparesDigests) {
  json manifest = exampleManifest();
  manifest["digest"]["plan.json"] = std::string(32, '0');
  const std::string message = Artifact::fromBytes(buildArtifact(manifest, examplePlan(), {})).status().message();
  EXPECT_TRUE(
      message.starts_with("expects 'plan.json' to have the digest 00000000000000000000000000000000, but it has"))
      << message;
}

TEST(Artifact, missesAHostObjectThatTheManifestLists) {
  json manifest = exampleManifest();
  const std::string text = examplePlan().dump();
  manifest["digest"]["plan.json"] = digest(std::as_bytes(std::span(text)));
  manifest["digest"]["host/x86-64-v4.so"] = std::string(32, '0');
  EXPECT_EQ(Artifact::fromBytes(buildArtifact(manifest, examplePlan(), {})).status().message(),
            "expects the entry 'host/x86-64-v4.so' that the manifest lists");
}

TEST(Artifact, refusesOtherFormatsAndCompression) {
  const Result<std::shared_ptr<const Artifact>> future = Artifact::fromBytes(
      buildArtifact({{"format", format::version + 1}, {"digest", json::object()}}, examplePlan(), {}));
  EXPECT_EQ(future.status().code(), StatusCode::unsupported);
  EXPECT_EQ(future.status().message(),
            fmt::format("expects artifact format {}, but the file has format {}; compile it again", format::version,
                        format::version + 1));
  const Result<std::shared_ptr<const Artifact>> compressed =
      Artifact::fromBytes(buildArtifact(exampleManifest(), examplePlan(), {}, false));
  EXPECT_EQ(compressed.status().message(), "expects the entry 'manifest.json' to be stored, not compressed");
}

TEST(Plan, checksBuffers) {
  EXPECT_EQ(planError([](json &e) { e["buffers"][3]["class"] = 2; }),
            "plan.entries.layer.buffers[3].class: expects a class below 2, but got 2");
  EXPECT_EQ(planError([](json &e) { e["buffers"][3]["offset"] = 4; }),
            "plan.entries.layer.buffers[3].size: expects the 16 bytes at 4 to end within the 16 of class 1");
  EXPECT_EQ(planError([](json &e) {
              e["buffers"][3]["offset"] = 2;
              e["buffers"][3]["size"] = 4;
            }),
            "plan.entries.layer.buffers[3].offset: expects a multiple of 4, but got 2");
  EXPECT_EQ(planError([](json &e) { e["buffers"][1]["offset"] = 256; }),
            "plan.entries.layer.buffers[1].size: expects the 128 bytes at 256 to end within the slab of 320");
  EXPECT_EQ(
      planError([](json &e) { e["buffers"][1]["offset"] = INT64_MAX - 3; }),
      "plan.entries.layer.buffers[1].size: expects the 128 bytes at 9223372036854775804 to end within the slab of 320");
  EXPECT_EQ(planError([](json &e) { e["buffers"][0]["index"] = 1; }),
            "plan.entries.layer.buffers[0].index: expects an index below 1, but got 1");
  EXPECT_EQ(planError([](json &e) {
              e["buffers"][0] = {{"region", "state"}, {"name", "x"}, {"dtype", "f32"}};
            }),
            "plan.entries.layer.buffers[0].name: expects a state of the manifest, but got 'x'");
  EXPECT_EQ(planError([](json &e) { e["buffers"][0]["dtype"] = "f64"; }),
            "plan.entries.layer.buffers[0].dtype: expects an element type, but got 'f64'");
}

TEST(Plan, checksSteps) {
  EXPECT_EQ(planError([](json &e) { e["steps"][0]["a"] = 7; }),
            "plan.entries.layer.steps[0].a: expects a buffer id below 7, but got 7");
  EXPECT_EQ(planError([](json &e) {
              e["steps"][0]["a"] = {{"id", 1}, {"row_bytes", 4}};
            }),
            "plan.entries.layer.steps[0].a: expects a buffer id below 7, but got {\"id\":1,\"row_bytes\":4}");
  EXPECT_EQ(planError([](json &e) { e["steps"][0]["m"] = "W"; }),
            "plan.entries.layer.steps[0].m: expects one of the symbols B, but got 'W'");
  EXPECT_EQ(planError([](json &e) { e["steps"][0]["beta"] = 0.5; }),
            "plan.entries.layer.steps[0].beta: expects 0 or 1, but got 0.5");
  EXPECT_EQ(planError([](json &e) { e["steps"][1]["by"] = 0; }),
            "plan.entries.layer.steps[1].by: expects from 1 to 2147483647, but got 0");
  EXPECT_EQ(planError([](json &e) { e["steps"][1]["body"][0]["op"] = "slabs"; }),
            "plan.entries.layer.steps[1].body: body[0].op: expects launch, gemm, fill, copy or, outside of slabs, "
            "slabs; but got 'slabs'");
  EXPECT_EQ(
      planError([](json &e) { e["steps"][0]["op"] = "jump"; }),
      "plan.entries.layer.steps[0].op: expects launch, gemm, fill, copy or, outside of slabs, slabs; but got 'jump'");
  EXPECT_EQ(planError([](json &e) { e["peak"].push_back(1); }),
            "plan.entries.layer.peak: expects one number per class, but got 3 for 2 classes");
}

// The kernel says whether panels are of 8 bits; such products have f32 in memory.
TEST(Plan, checksQuantizedProducts) {
  EXPECT_EQ(planError([](json &e) { e["steps"][0]["kernel"] = "gemm_nt_i8"; }), "");
  EXPECT_EQ(planError([](json &e) { e["steps"][0]["kernel"] = "gemm_nt_i8_weights"; }), "");
  EXPECT_EQ(
      planError([](json &e) { e["steps"][0]["kernel"] = "gemm_nt_i7"; }),
      "plan.entries.layer.steps[0].kernel: expects one of gemm_nn, gemm_nt, gemm_tn, gemm_tt, gemm_nt_i8_weights, "
      "gemm_nt_i8, but got 'gemm_nt_i7'");
  EXPECT_EQ(planError([](json &e) {
              e["buffers"][e["steps"][0]["c"].get<size_t>()]["dtype"] = "bf16";
              e["steps"][0]["kernel"] = "gemm_nt_i8";
            }),
            "plan.entries.layer.steps[0].kernel: expects one of gemm_nn_f32_f32_bf16, gemm_nt_f32_f32_bf16, "
            "gemm_tn_f32_f32_bf16, gemm_tt_f32_f32_bf16, but got 'gemm_nt_i8'");
}

TEST(Plan, checksMasks) {
  EXPECT_EQ(planError([](json &e) { e["steps"][0]["mask"] = 7; }),
            "plan.entries.layer.steps[0].mask: expects a buffer id below 7, but got 7");
  EXPECT_EQ(planError([](json &e) { e["steps"][0]["mask"] = 6; }),
            "plan.entries.layer.steps[0].mask: expects an i1 buffer");
  EXPECT_EQ(planError([](json &e) {
              e["buffers"][6]["dtype"] = "i1";
              e["steps"][0]["mask"] = 6;
              e["steps"][0]["kernel"] = "gemm_tt";
            }),
            "plan.entries.layer.steps[0].mask: expects no mask where both matrices are stored transposed");
}

TEST(Plan, checksViews) {
  const auto error = [](int64_t whole, int64_t column, int64_t width, int64_t row, auto edit) {
    return planError([&](json &e) {
      e["buffers"].push_back({{"view_of", whole}, {"column", column}, {"width", width}, {"row", row}});
      edit(e);
    });
  };
  const auto nothing = [](json &) {};
  EXPECT_EQ(error(3, 1, 3, 4, nothing), "");
  EXPECT_EQ(error(7, 1, 3, 4, nothing),
            "plan.entries.layer.buffers[7].view_of: expects the id of an earlier buffer with rows, but got 7");
  EXPECT_EQ(error(3, 0, 1, 0, nothing), "plan.entries.layer.buffers[7].row: expects from 1 to 2147483647, but got 0");
  EXPECT_EQ(error(3, 0, 5, 4, nothing), "plan.entries.layer.buffers[7].width: expects from 1 to 4, but got 5");
  EXPECT_EQ(error(3, 2, 3, 4, nothing), "plan.entries.layer.buffers[7].column: expects from 0 to 1, but got 2");
  EXPECT_EQ(error(3, INT64_MIN, 3, 4, nothing),
            "plan.entries.layer.buffers[7].column: expects from 0 to 1, but got -9223372036854775808");
  EXPECT_EQ(error(3, 1, 3, 4,
                  [](json &e) {
                    e["buffers"].push_back({{"view_of", 7}, {"column", 0}, {"width", 1}, {"row", 4}});
                  }),
            "plan.entries.layer.buffers[8].view_of: expects the id of an earlier buffer with rows, but got 7");
  EXPECT_EQ(error(3, 1, 3, 4, [](json &e) { e["steps"][2]["buffer"] = 7; }),
            "plan.entries.layer.steps[2].buffer: expects a whole buffer, but 7 is a view");
  EXPECT_EQ(error(3, 1, 3, 4, [](json &e) { e["steps"][0]["workspace"] = 7; }),
            "plan.entries.layer.steps[0].workspace: expects a whole buffer, but 7 is a view");
}

TEST(Plan, checksPanels) {
  const auto error = [](auto edit) {
    json plan = test::examplePlanWithPanels();
    edit(plan["entries"]["layer"]);
    Result<std::shared_ptr<const Artifact>> artifact = Artifact::fromBytes(test::exampleArtifact(plan));
    return artifact.ok() ? std::to_string((*artifact)->plan().find("layer")->panelBytes) + " bytes"
                         : artifact.status().message();
  };
  EXPECT_EQ(error([](json &) {}), "2112 bytes") << "32 x 16 floats behind 64 bytes";
  EXPECT_EQ(error([](json &e) { e["buffers"][7]["offset"] = 32; }),
            "plan.entries.layer.buffers[7].offset: expects a multiple of 64 that is >= 0, but got 32");
  EXPECT_EQ(error([](json &e) { e["buffers"][7]["offset"] = -64; }),
            "plan.entries.layer.buffers[7].offset: expects a multiple of 64 that is >= 0, but got -64");
  EXPECT_EQ(error([](json &e) { e["buffers"][7]["size"] = INT64_MAX; }),
            "plan.entries.layer.buffers[7].size: expects from 0 to 9223372036854775743, but got 9223372036854775807");
  EXPECT_EQ(error([](json &e) { e["steps"][0]["b"] = 0; }),
            "plan.entries.layer.steps[0].workspace: expects panels of a whole parameter, but b is something else");
}

TEST(Plan, checksProducts) {
  EXPECT_EQ(planError([](json &e) { e["steps"][0].erase("kernel"); }),
            "plan.entries.layer.steps[0].kernel: expects a string, but it is missing");
  EXPECT_EQ(planError([](json &e) { e["steps"][0]["kernel"] = "double"; }),
            "plan.entries.layer.steps[0].kernel: expects one of gemm_nn, gemm_nt, gemm_tn, gemm_tt, "
            "gemm_nt_i8_weights, gemm_nt_i8, but got 'double'");
  EXPECT_EQ(planError([](json &e) { e["steps"][0]["workspace"] = 7; }),
            "plan.entries.layer.steps[0].workspace: expects a buffer id below 7, but got 7");
  EXPECT_EQ(planError([](json &e) { e["steps"][0]["workspace"] = 4; }),
            "plan.entries.layer.steps[0].workspace: expects a buffer of the arena or of the panels");
  EXPECT_EQ(planError([](json &e) {
              e["buffers"][6]["dtype"] = "i32";
              e["steps"][0]["workspace"] = 6;
            }),
            "plan.entries.layer.steps[0].workspace: expects an f32 buffer");
  EXPECT_EQ(planError([](json &e) { e["buffers"][1]["dtype"] = "bf16"; }),
            "plan.entries.layer.steps[0].kernel: expects one of gemm_nn_f32_bf16_f32, gemm_nt_f32_bf16_f32, "
            "gemm_tn_f32_bf16_f32, gemm_tt_f32_bf16_f32, but got 'gemm_nt'");
  EXPECT_EQ(planError([](json &e) {
              e["buffers"][1]["dtype"] = "bf16";
              e["steps"][0]["kernel"] = "gemm_nt_f32_bf16_f32";
            }),
            "");
  EXPECT_EQ(planError([](json &e) { e["buffers"][1]["dtype"] = "i32"; }),
            "plan.entries.layer.steps[0].b: expects a buffer of f32, bf16 or f16, but got i32");
  for (const int64_t rows : {int64_t{0}, int64_t{1} << 21, INT64_MAX})
    EXPECT_EQ(planError([&](json &e) { e["steps"][0]["epilogue"]["rows_per_tile"] = rows; }),
              "plan.entries.layer.steps[0].epilogue: epilogue.rows_per_tile: expects from 1 to 1048576, but got " +
                  std::to_string(rows));
}

TEST(Plan, checksThatConstantSizesDoNotOverflow) {
  EXPECT_EQ(
      planError([](json &e) { e["steps"][0]["n"] = e["steps"][0]["k"] = int64_t{1} << 32; }),
      "plan.entries.layer.steps[0].m: expects that m * n * k of this and all products before fits in 64 bits, but "
      "got B * 4294967296 * 4294967296");
  // Each of the products fits, the sum of both does not.
  EXPECT_EQ(
      planError([](json &e) {
        e["steps"][0]["n"] = int64_t{1} << 62;
        e["steps"][0]["k"] = 1;
        e["steps"].push_back(e["steps"][0]);
      }),
      "plan.entries.layer.steps[4].m: expects that m * n * k of this and all products before fits in 64 bits, but "
      "got B * 4611686018427387904 * 1");
  const std::string peak = "plan.entries.layer.peak: expects an arena whose size fits in 64 bits, but class 0 has ";
  EXPECT_EQ(planError([](json &e) { e["peak"][0] = INT64_MAX; }),
            peak + "9223372036854775807 bytes for each of 1 units");
  // Rounded up it does not fit, not even once.
  EXPECT_EQ(planError([](json &e) {
              e["classes"][0] = INT64_MAX;
              e["peak"][0] = 1;
            }),
            peak + "1 bytes for each of 9223372036854775807 units");
}

TEST(Manifest, checksParameters) {
  EXPECT_EQ(manifestError([](json &m) { m["parameters"][1]["offset"] = 16; }),
            "parameters 'weight' and 'bias' overlap");
  EXPECT_EQ(manifestError([](json &m) { m["parameters"][1]["offset"] = 8; }),
            "manifest.parameters[1].offset: expects a multiple of 16, but got 8");
  EXPECT_EQ(manifestError([](json &m) { m["parameters"][1]["offset"] = 48; }),
            "parameter 'bias': expects its 4 elements at 48 to end within 48");
  EXPECT_EQ(manifestError([](json &m) { m["parameters"][2]["offset"] = 16; }),
            "parameter 'table': expects constants after the 48 trained elements");
  EXPECT_EQ(manifestError([](json &m) { m["parameters"][1]["name"] = "tied"; }),
            "parameter 'tied': expects distinct names");
  EXPECT_EQ(manifestError([](json &m) {
              m["parameters"][0]["shape"] = {1 << 30, 1 << 30, 1 << 30};
            }),
            "manifest.parameters[0].shape: expects positive integers whose product fits in 64 bits");
  EXPECT_EQ(manifestError([](json &m) { m["parameters"][0]["init"]["kind"] = "magic"; }),
            "manifest.parameters[0].init.kind: expects zeros, ones, xavier_uniform, normal, uniform, constant, "
            "sinusoidal, sinusoidal_distance, rotary_cos or rotary_sin");
  EXPECT_EQ(manifestError([](json &m) {
              m["parameters"][2]["init"] = {{"kind", "rotary_sin"}};
            }),
            "manifest.parameters[2].init.base: expects a number from 1, but got 0");
  EXPECT_EQ(manifestError([](json &m) { m.erase("spec"); }), "manifest.spec: expects a string, but it is missing");
}

TEST(Plan, refusesNestingThatWouldExhaustTheStack) {
  const std::string deep = std::string(200000, '[') + std::string(200000, ']');
  EXPECT_EQ(Plan::parse(deep, Manifest()).status().message(), "expects plan.json to nest at most 100 levels");
}

} // namespace
