// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/Runtime/ArtifactBuilder.h"

#include "runtime/core/Artifact.h"
#include "runtime/core/File.h"

#include <zip.h>

namespace bifocal::test {
namespace {

using nlohmann::json;

std::vector<std::byte> bytesOf(const std::string &text) {
  const auto *begin = reinterpret_cast<const std::byte *>(text.data());
  return {begin, begin + text.size()};
}

json buffer(const char *region, int64_t offset, int64_t size, int64_t index = 0) {
  return {{"region", region}, {"class", index}, {"offset", offset}, {"size", size}, {"dtype", "f32"}, {"index", index}};
}

/// y = 2 relu(x weight^T + bias), doubled window by window, and the sum of y.
json layerEntry() {
  json layer;
  layer["symbols"] = {"B"};
  layer["inputs"] = {{{"name", "x"}, {"dtype", "f32"}, {"dims", {"B", 8}}}};
  layer["outputs"] = {{{"name", "y"}, {"dtype", "f32"}, {"dims", {"B", 4}}},
                      {{"name", "sum"}, {"dtype", "f32"}, {"dims", json::array()}}};
  layer["classes"] = {1, "B"};
  layer["peak"] = {16, 16};
  layer["buffers"] = {buffer("input", 0, 0, 0),  buffer("parameter", 0, 128), buffer("parameter", 128, 16),
                      buffer("arena", 0, 16, 1), buffer("output", 0, 0, 0),   buffer("output", 0, 0, 1),
                      buffer("arena", 0, 16, 0)};
  const json window = {{{"id", 3}, {"row_bytes", 16}}, {{"id", 4}, {"row_bytes", 16}}};
  layer["steps"] = {
      {{"op", "gemm"},
       {"kernel", "gemm_nt"},
       {"m", "B"},
       {"n", 4},
       {"k", 8},
       {"a", 0},
       {"b", 1},
       {"c", 3},
       {"epilogue", {{"kernel", "bias_relu"}, {"buffers", {3, 2}}, {"sizes", {"B", 4}}, {"rows_per_tile", 3}}}},
      {{"op", "slabs"},
       {"rows", "B"},
       {"by", 3},
       {"body",
        {{{"op", "launch"},
          {"kernel", "double"},
          {"buffers", window},
          {"sizes", {{"*", "W", 4}}},
          {"stages", {"W"}}}}}},
      {{"op", "fill"}, {"buffer", 6}, {"value", 0x7fc00000}},
      {{"op", "launch"},
       {"kernel", "sum"},
       {"buffers", {4, 6, 5}},
       {"sizes", {{"*", "B", 4}}},
       {"stages", {4, 1}},
       {"family", "reduce"}}};
  return layer;
}

/// Gives back what the state was and keeps `x` in it.
json rememberEntry() {
  json state;
  state["symbols"] = {"R"};
  state["inputs"] = {{{"name", "x"}, {"dtype", "f32"}, {"dims", {3, "R", 4}}}};
  state["outputs"] = {{{"name", "old"}, {"dtype", "f32"}, {"dims", {3, "R", 4}}}};
  state["classes"] = {1};
  state["peak"] = {0};
  state["buffers"] = {
      buffer("input", 0, 0), {{"region", "state"}, {"name", "cache"}, {"dtype", "f32"}}, buffer("output", 0, 0)};
  state["steps"] = {{{"op", "copy"}, {"from", 1}, {"to", 2}}, {{"op", "copy"}, {"from", 0}, {"to", 1}}};
  return state;
}

json descendEntry() {
  json train;
  train["symbols"] = json::array();
  train["inputs"] = json::array();
  train["outputs"] = json::array();
  train["classes"] = json::array();
  train["peak"] = json::array();
  train["buffers"] = {buffer("parameter", 0, 192), buffer("gradient", 0, 192)};
  train["steps"] = {{{"op", "launch"}, {"kernel", "descend"}, {"buffers", {0, 1}}, {"sizes", {48}}, {"stages", {3}}}};
  return train;
}

} // namespace

json exampleManifest() {
  return json::parse(R"({
    "format": 6, "bifocal": "0.1.0", "digest": {}, "spec": "kind = 'test'", "spec_hash": "0123456789abcdef",
    "model": {"kind": "test"}, "training": {},
    "parameters": [
      {"name": "weight", "aliases": ["tied"], "shape": [4, 8], "dtype": "f32", "offset": 0,
       "init": {"kind": "xavier_uniform", "gain": 1.0}},
      {"name": "bias", "shape": [4], "dtype": "f32", "offset": 32, "init": {"kind": "zeros"}},
      {"name": "table", "shape": [5, 4], "dtype": "f32", "offset": 48, "init": {"kind": "sinusoidal", "pad": 1},
       "trained": false, "stored": false}],
    "parameter_elements": 80, "trained_elements": 48,
    "states": [{"name": "cache", "dtype": "f32", "dims": [3, "R", 4]}]})");
}

json examplePlan() {
  json plan;
  plan["entries"] = {{"layer", layerEntry()}, {"remember", rememberEntry()}, {"descend", descendEntry()}};
  return plan;
}

json examplePlanWithWorkspace(int64_t bytes) {
  json plan = examplePlan();
  json &layer = plan["entries"]["layer"];
  const int64_t offset = layer["peak"][0];
  layer["peak"][0] = offset + bytes;
  layer["steps"][0]["workspace"] = layer["buffers"].size();
  layer["buffers"].push_back(buffer("arena", offset, bytes, 0));
  return plan;
}

json examplePlanWithPanels() {
  json plan = examplePlan();
  json &layer = plan["entries"]["layer"];
  layer["steps"][0]["workspace"] = layer["buffers"].size();
  layer["buffers"].push_back(buffer("panels", 64, 32 * 16 * 4));
  return plan;
}

std::vector<std::byte> buildArtifact(json manifest, const json &plan,
                                     const std::map<std::string, std::vector<std::byte>> &objects, bool stored) {
  std::map<std::string, std::vector<std::byte>> entries = objects;
  entries["plan.json"] = bytesOf(plan.dump());
  if (manifest["digest"].empty())
    for (const auto &[name, bytes] : entries)
      manifest["digest"][name] = digest(bytes);
  entries["manifest.json"] = bytesOf(manifest.dump());

  zip_error_t error;
  zip_error_init(&error);
  zip_source_t *target = zip_source_buffer_create(nullptr, 0, 0, &error);
  zip_source_keep(target);
  zip_t *archive = zip_open_from_source(target, ZIP_TRUNCATE, &error);
  for (const auto &[name, bytes] : entries) {
    const zip_int64_t index =
        zip_file_add(archive, name.c_str(), zip_source_buffer(archive, bytes.data(), bytes.size(), 0), 0);
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), stored ? ZIP_CM_STORE : ZIP_CM_DEFLATE, 0);
  }
  zip_close(archive);
  zip_source_open(target);
  zip_source_seek(target, 0, SEEK_END);
  std::vector<std::byte> result(static_cast<size_t>(zip_source_tell(target)));
  zip_source_seek(target, 0, SEEK_SET);
  zip_source_read(target, result.data(), result.size());
  zip_source_close(target);
  zip_source_free(target);
  return result;
}

std::vector<std::byte> testKernels() {
  Result<std::vector<std::byte>> bytes = readFile(BIFOCAL_TEST_KERNELS);
  return bytes.ok() ? bytes.take() : std::vector<std::byte>();
}

std::vector<std::byte> exampleArtifact(const json &plan) {
  return buildArtifact(exampleManifest(), plan,
                       {{"host/x86-64-v3.so", testKernels()}, {"host/x86-64-v4.so", testKernels()}});
}

} // namespace bifocal::test
