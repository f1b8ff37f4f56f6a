// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/Artifact.h"
#include "codegen/Compiler.h"
#include "frontend/Import.h"
#include "runtime/core/ArtifactFormat.h"
#include "runtime/core/File.h"
#include "tools/bifocal/MemoryBudget.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <random>
#include <set>

using namespace bifocal;
using namespace bifocal::tools;

namespace {

/// A model, compiled once for all tests.
struct Model {
  std::string name;
  std::shared_ptr<const Artifact> artifact;
  Places places;
};

/// test/Tools/Inputs/tiny.toml with other mixers and another precision.
std::string specText(std::string_view mixer, std::string_view precision) {
  Result<std::vector<std::byte>> bytes = readFile(BIFOCAL_SOURCE_DIR "/test/Tools/Inputs/tiny.toml", 1 << 16);
  if (!bytes.ok())
    return "";
  std::string text(reinterpret_cast<const char *>(bytes->data()), bytes->size());
  for (size_t at = 0; (at = text.find("\"light_conv\"", at)) != std::string::npos; ++at)
    text.replace(at, 12, fmt::format("\"{}\"", mixer));
  for (size_t at = 0; mixer == "attention" && (at = text.find("kernel_sizes = [3]\n")) != std::string::npos;)
    text.erase(at, 19);
  for (size_t at = 0; mixer == "attention" && (at = text.find("weight_dropout = 0.2\n")) != std::string::npos;)
    text.erase(at, 21);
  return text + fmt::format("precision = \"{}\"\n", precision);
}

Model compile(std::string_view mixer, std::string_view precision) {
  Model model{fmt::format("{} {}", mixer, precision), nullptr, {}};
  mlir::MLIRContext context;
  prepareContext(context);
  Result<Spec> spec = parseSpec(specText(mixer, precision), "m.toml");
  EXPECT_TRUE(spec.ok()) << model.name << ": " << spec.status().message();
  if (!spec.ok())
    return model;
  mlir::OwningOpRef<mlir::ModuleOp> module = importSpec(*spec, context);
  CompileOptions options;
  options.phases.cpuLevels = {"x86-64-v3"};
  const Status status = runPhases(*module, options);
  EXPECT_TRUE(status.ok()) << model.name << ": " << status.message();
  if (!status.ok())
    return model;
  Result<std::string> bytes = writeArtifact(*module);
  auto artifact = bytes.ok() ? Artifact::fromBytes(std::as_bytes(std::span(*bytes)))
                             : Result<std::shared_ptr<const Artifact>>(bytes.status());
  EXPECT_TRUE(artifact.ok()) << model.name << ": " << artifact.status().message();
  if (artifact.ok())
    model.artifact = artifact.take();
  for (auto entry : module->getOps<plan::EntryOp>())
    model.places[entry.getSymName().str()] = arenaPlaces(entry);
  return model;
}

const std::vector<Model> &models() {
  static const std::vector<Model> all = {compile("light_conv", "f32"), compile("dynamic_conv", "bf16"),
                                         compile("attention", "f32")};
  return all;
}

/// A size for every symbol of all entries.
Shape randomShape(const Artifact &artifact, std::mt19937 &random) {
  Shape shape;
  for (const EntryPlan &entry : artifact.plan().entries)
    for (const std::string &symbol : entry.symbols)
      if (symbol != format::windowSymbol && !shape.contains(symbol))
        shape[symbol] = 1 + static_cast<int64_t>(random() % 32);
  return shape;
}

void addBuffers(const std::vector<PlanStep> &steps, std::set<size_t> &ids) {
  const auto add = [&](const std::vector<BufferRef> &refs) {
    for (const BufferRef &ref : refs)
      ids.insert(ref.id);
  };
  for (const PlanStep &step : steps) {
    if (const auto *slabs = std::get_if<SlabsStep>(&step.action))
      addBuffers(slabs->body, ids);
    else if (const auto *launch = std::get_if<LaunchStep>(&step.action))
      add(launch->buffers);
    else if (const auto *fill = std::get_if<FillStep>(&step.action))
      add({fill->buffer});
    else if (const auto *copy = std::get_if<CopyStep>(&step.action))
      add({copy->from, copy->to});
    else if (const auto *gemm = std::get_if<GemmStep>(&step.action)) {
      add({gemm->a, gemm->b, gemm->c});
      add(gemm->mask ? std::vector{*gemm->mask} : std::vector<BufferRef>());
      add(gemm->workspace ? std::vector{*gemm->workspace} : std::vector<BufferRef>());
      add(gemm->epilogue ? gemm->epilogue->buffers : std::vector<BufferRef>());
    }
  }
}

/// Bytes of the arena that are in use at each step, from the plan that the runtime reads: of each class the union of
/// the places of all buffers between the first and the last step that names them.
std::vector<int64_t> bytesInUse(const EntryPlan &entry, const std::vector<int64_t> &units) {
  std::map<size_t, Lifetime> lives;
  for (unsigned step = 0; step < entry.steps.size(); ++step) {
    std::set<size_t> ids;
    addBuffers({entry.steps[step]}, ids);
    for (const size_t id : ids)
      lives.try_emplace(id, Lifetime{step, step}).first->second.last = step;
  }
  std::vector<int64_t> inUse(entry.steps.size());
  for (unsigned step = 0; step < entry.steps.size(); ++step) {
    std::vector<std::vector<bool>> taken;
    for (const int64_t peak : entry.peak)
      taken.emplace_back(static_cast<size_t>(peak));
    for (const auto &[id, life] : lives) {
      const PlanBuffer &buffer = entry.buffers[id];
      if (buffer.region == Region::arena && life.meets({step, step}))
        std::fill_n(taken[buffer.index].begin() + buffer.offset, buffer.size, true);
    }
    for (size_t c = 0; c < taken.size(); ++c)
      inUse[step] += std::ranges::count(taken[c], true) * units[c];
  }
  return inUse;
}

TEST(PeakMemory, isTheStepThatUsesMostBytes) {
  std::mt19937 random(3);
  for (const Model &model : models()) {
    ASSERT_NE(model.artifact, nullptr);
    for (const EntryPlan &entry : model.artifact->plan().entries) {
      const Shape shape = randomShape(*model.artifact, random);
      std::vector<int64_t> bases(entry.classes.size()), units(entry.classes.size());
      const Result<int64_t> arena = entry.arenaBytes(*symbolValues(entry, shape), bases, units);
      ASSERT_TRUE(arena.ok());
      const std::optional<PeakMemory> peak = peakMemory(entry, model.places.at(entry.name), shape);
      ASSERT_TRUE(peak.has_value());
      const std::vector<int64_t> inUse = bytesInUse(entry, units);
      const auto most = std::ranges::max_element(inUse);
      const std::string where = fmt::format("{} of {}", entry.name, model.name);
      EXPECT_EQ(peak->arenaBytes, *arena) << where;
      EXPECT_EQ(peak->aliveBytes, *most) << where;
      EXPECT_EQ(peak->step, static_cast<size_t>(most - inUse.begin())) << where;
      EXPECT_LE(peak->aliveBytes, peak->arenaBytes) << where;
      int64_t sum = 0, before = INT64_MAX;
      for (const PeakMemory::Buffer &buffer : peak->alive) {
        EXPECT_LE(buffer.bytes, before) << where << ": the largest come first";
        before = buffer.bytes, sum += buffer.bytes;
        EXPECT_TRUE(buffer.place->location.starts_with("m.toml:")) << where << ": " << buffer.place->location;
        EXPECT_NE(buffer.place->holds, "buffer") << where << ": a step must have written it";
      }
      EXPECT_EQ(sum, *most) << where;
    }
  }
}

MemoryBudget budgetOf(const Model &model, const Shape &shape, int64_t bytes) { return {*model.artifact, shape, bytes}; }

TEST(MemoryBudget, hasTheLargestBatchThatFits) {
  std::mt19937 random(5);
  for (const Model &model : models()) {
    ASSERT_NE(model.artifact, nullptr);
    for (int trial = 0; trial < 60; ++trial) {
      Shape shape = randomShape(*model.artifact, random);
      const int64_t bytes = int64_t{100000} << (random() % 16);
      const Result<int64_t> batch = budgetOf(model, shape, bytes).largestBatch(shape);
      ASSERT_TRUE(batch.ok()) << batch.status().message();
      ASSERT_LT(*batch, INT64_MAX);
      const std::string where = fmt::format("{}: {} bytes, S = {}, T = {}", model.name, bytes, shape["S"], shape["T"]);
      if (shape["B"] = *batch; *batch > 0) {
        EXPECT_TRUE(budgetOf(model, shape, bytes).check().ok()) << where << ", B = " << *batch;
      }
      shape["B"] = *batch + 1;
      const Status beyond = budgetOf(model, shape, bytes).check();
      EXPECT_EQ(beyond.code(), StatusCode::overBudget) << where << ", B = " << *batch + 1;
      const std::string said = *batch > 0 ? fmt::format("is B = {}", *batch) : "no batch fits";
      EXPECT_NE(beyond.message().find(said), std::string::npos) << beyond.message();
    }
  }
}

TEST(MemoryBudget, hasTheMostTokensWhateverTheLengths) {
  std::mt19937 random(9);
  for (const Model &model : models()) {
    ASSERT_NE(model.artifact, nullptr);
    const int64_t longest = model.artifact->manifest().model["max_positions"].get<int64_t>();
    Shape shape = randomShape(*model.artifact, random);
    for (const int64_t bytes : {1000000, 3000000, 50000000}) {
      const std::optional<int64_t> tokens = budgetOf(model, shape, bytes).mostTokens();
      ASSERT_TRUE(tokens.has_value());
      ASSERT_GE(*tokens, 1) << model.name << ": " << bytes;
      // One token more makes a batch of some length that does not fit.
      bool more = false;
      for (int64_t length = 1; length <= longest; ++length)
        for (const auto &[source, target] :
             {std::pair(length, length), std::pair(length, int64_t{1}), std::pair(int64_t{1}, length)}) {
          shape["S"] = source, shape["T"] = target;
          if (shape["B"] = *tokens / length; shape["B"] > 0) {
            EXPECT_TRUE(budgetOf(model, shape, bytes).check().ok()) << model.name << ": " << bytes << ", " << length;
          }
          shape["B"] = (*tokens + 1) / length;
          more |= shape["B"] > 0 && !budgetOf(model, shape, bytes).check().ok();
        }
      EXPECT_TRUE(more) << model.name << ": " << *tokens + 1 << " tokens fit " << bytes;
    }
  }
}

} // namespace
