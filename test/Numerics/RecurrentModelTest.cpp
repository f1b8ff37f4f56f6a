// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Models with a memory, compiled and run: segments with a memory of those before, and steps over caches, give what one
// pass over the whole text gives.

#include "codegen/Compiler.h"
#include "dialect/bifocal/BifocalOps.h"
#include "frontend/Import.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "runtime/decode/SessionStepper.h"
#include "tools/bifocal-golden/CompiledModule.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace bifocal;
using golden::CompiledModule;
using golden::HostTensor;

namespace {
struct Variant {
  std::string name, model, stack;
};

void PrintTo(const Variant &variant, std::ostream *out) { *out << variant.name; }

constexpr int64_t vocabulary = 23, rows = 3, steps = 11, dim = 32, layers = 2;

class RecurrentModel : public testing::TestWithParam<Variant> {
protected:
  /// The model with `forward` returning logarithms of probabilities, as `decode_step` does.
  void SetUp() override {
    const std::string text = fmt::format("[model]\nkind = \"language_model\"\ndim = {}\nvocabulary = {}\n"
                                         "max_positions = 32\n{}[decoder]\nlayers = {}\nheads = 4\nffn_dim = 48\n{}"
                                         "[training]\ntokens_per_sample = 16\n",
                                         dim, vocabulary, GetParam().model, layers, GetParam().stack);
    Result<Spec> spec = parseSpec(text, "m.toml");
    ASSERT_TRUE(spec.ok()) << spec.status().message();
    mlir::MLIRContext context;
    prepareContext(context);
    mlir::OwningOpRef<mlir::ModuleOp> module = importSpec(*spec, context);
    auto function = module->lookupSymbol<mlir::func::FuncOp>("forward");
    mlir::Operation *terminator = function.front().getTerminator();
    mlir::OpBuilder builder(terminator);
    mlir::Value logits = terminator->getOperand(0);
    if (!logits.getDefiningOp<JoinClustersOp>())
      terminator->setOperand(0, builder.create<LogSoftmaxOp>(function.getLoc(), logits.getType(), logits));
    auto compiled = CompiledModule::ofText(printModule(*module));
    ASSERT_TRUE(compiled.ok()) << compiled.status().message();
    model = compiled.take();
    model->session().initialize(5);
    // Heads that look back differently far; the other models have no such parameter.
    for (int64_t layer = 0; layer < layers; ++layer)
      for (float &span : model->parameter(fmt::format("layers.{}.attn.attn.adaptive_span._mask.current_val", layer)))
        span = next += 0.11f;
    for (int64_t i = 0; i < rows * steps; ++i)
      tokens.push_back((i * i * 7 + i) % vocabulary);
    scores = pass(0, steps, {}, states);
  }

  /// Log-probabilities of the steps [begin, end) behind `memory`, [rows, M, dim] for each layer.
  HostTensor pass(int64_t begin, int64_t end, const std::vector<HostTensor> &memory, std::vector<HostTensor> &given) {
    std::vector<int64_t> ids;
    for (int64_t row = 0; row < rows; ++row)
      ids.insert(ids.end(), tokens.begin() + row * steps + begin, tokens.begin() + row * steps + end);
    HostTensor previous = HostTensor::ofInts({rows, end - begin}, ids);
    HostTensor found = HostTensor::zeros({rows, end - begin, vocabulary});
    std::vector<HostTensor> before(layers, HostTensor::zeros({rows, 0, dim}));
    for (size_t layer = 0; layer < memory.size(); ++layer)
      before[layer] = memory[layer];
    given.assign(layers, HostTensor::zeros({rows, end - begin, dim}));
    std::map<std::string, HostTensor *> arguments{{"previous", &previous}, {"logits", &found}};
    for (size_t layer = 0; layer < layers; ++layer) {
      arguments[fmt::format("memory.{}", layer)] = &before[layer];
      arguments[fmt::format("states.{}", layer)] = &given[layer];
    }
    EXPECT_EQ(model->run("forward", arguments).message(), "");
    return found;
  }

  /// The message of decoding step `number` of as many hypotheses as there are `words`.
  std::string decode(const std::vector<int64_t> &words, int64_t number, HostTensor history, HostTensor &found) {
    const auto count = static_cast<int64_t>(words.size());
    const std::vector<int64_t> places(words.size(), 2 + number), numbers{number};
    HostTensor token = HostTensor::ofInts({count}, words), position = HostTensor::ofInts({count}, places);
    HostTensor at = HostTensor::ofInts({}, numbers);
    found = HostTensor::zeros({count, vocabulary});
    return std::string(model
                           ->run("decode_step", {{"tokens", &token},
                                                 {"positions", &position},
                                                 {"ancestors", &history},
                                                 {"step", &at},
                                                 {"log_probabilities", &found}})
                           .message());
  }

  void expectScores(const HostTensor &found, int64_t begin, int64_t end) {
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t step = begin; step < end; ++step)
        for (int64_t word = 0; word < vocabulary; ++word)
          ASSERT_NEAR(found.floats()[static_cast<size_t>((row * (end - begin) + step - begin) * vocabulary + word)],
                      scores.floats()[static_cast<size_t>((row * steps + step) * vocabulary + word)], 2e-5)
              << "row " << row << " step " << step << " word " << word;
  }

  std::unique_ptr<CompiledModule> model;
  float next = 0;
  std::vector<int64_t> tokens;
  HostTensor scores; ///< of one pass
  std::vector<HostTensor> states;
};
} // namespace

TEST_P(RecurrentModel, segments_equal_one_pass) {
  std::vector<HostTensor> first, second, third;
  expectScores(pass(0, 4, {}, first), 0, 4);
  expectScores(pass(4, 6, first, second), 4, 6);
  // What is kept are the steps of both.
  std::vector<HostTensor> both;
  for (size_t layer = 0; layer < layers; ++layer) {
    std::vector<float> joined;
    for (int64_t row = 0; row < rows; ++row)
      for (const HostTensor *part : {&first[layer], &second[layer]}) {
        const int64_t count = part->shape[1] * dim;
        const auto begin = part->floats().begin() + row * count;
        joined.insert(joined.end(), begin, begin + count);
      }
    both.push_back(HostTensor::ofFloats({rows, 6, dim}, joined));
  }
  expectScores(pass(6, steps, both, third), 6, steps);
}

TEST_P(RecurrentModel, steps_equal_one_pass) {
  ASSERT_EQ(model->session().sizeStates({{"R", rows}, {"P", steps}}).message(), "");
  const bool clamps = GetParam().stack.find("clamp_length = 3") != std::string::npos;
  std::vector<int64_t> ancestors(rows * steps), reach;
  for (int64_t row = 0; row < rows; ++row)
    std::fill_n(ancestors.begin() + row * steps, steps, row);
  for (int64_t distance = 0; distance < steps; ++distance)
    reach.push_back(clamps ? std::min<int64_t>(distance, 3) : distance);
  HostTensor history = HostTensor::ofInts({rows, steps}, ancestors), distances = HostTensor::ofInts({steps}, reach);
  if (GetParam().stack.find("relative_attention") != std::string::npos) {
    ASSERT_EQ(model->run("encode_distances", {{"distances", &distances}}).message(), "");
  }
  for (int64_t step = 0; step < steps; ++step) {
    std::vector<int64_t> column;
    for (int64_t row = 0; row < rows; ++row)
      column.push_back(tokens[static_cast<size_t>(row * steps + step)]);
    HostTensor found;
    ASSERT_EQ(decode(column, step, history, found), "");
    expectScores(found, step, step + 1);
  }
}

TEST_P(RecurrentModel, caches_without_a_step_are_refused) {
  ASSERT_EQ(model->session().sizeStates({{"R", rows}, {"P", 0}}).message(), "");
  const std::vector<int64_t> none;
  HostTensor found;
  EXPECT_EQ(decode({3}, 0, HostTensor::ofInts({1, 0}, none), found),
            "entry 'decode_step' expects states with room for at least one step, but P is 0");
}

/// The last `most` steps of a memory and of the step behind it.
static HostTensor lastSteps(const HostTensor &memory, const HostTensor &step, int64_t most) {
  const int64_t known = memory.shape[1] + 1, kept = std::min(known, most);
  std::vector<float> joined;
  for (int64_t row = 0; row < rows; ++row) {
    std::vector<float> all(memory.floats().begin() + row * (known - 1) * dim,
                           memory.floats().begin() + (row + 1) * (known - 1) * dim);
    all.insert(all.end(), step.floats().begin() + row * dim, step.floats().begin() + (row + 1) * dim);
    joined.insert(joined.end(), all.end() - kept * dim, all.end());
  }
  return HostTensor::ofFloats({rows, kept, dim}, joined);
}

TEST_P(RecurrentModel, decoding_without_end_equals_segments_of_one_step) {
  const bool spans = GetParam().name.starts_with("span");
  const int64_t most = spans ? 8 : 5;
  Result<SessionStepper> stepper = SessionStepper::create(model->session());
  ASSERT_TRUE(stepper.ok()) << stepper.status().message();
  ASSERT_TRUE(stepper->forgets());
  const int64_t kept = stepper->cacheSteps(1000);
  EXPECT_LT(kept, steps);
  ASSERT_EQ(stepper->begin(rows, kept).message(), "");
  std::vector<int32_t> sentences(rows, 0), ancestors;
  for (int32_t row = 0; row < rows; ++row)
    ancestors.insert(ancestors.end(), static_cast<size_t>(kept), row);
  std::vector<HostTensor> memory(layers, HostTensor::zeros({rows, spans ? most : 0, dim})), given;
  for (int64_t step = 0; step < steps; ++step) {
    std::vector<int32_t> column;
    for (int64_t row = 0; row < rows; ++row)
      column.push_back(static_cast<int32_t>(tokens[static_cast<size_t>(row * steps + step)]));
    std::vector<float> found(rows * vocabulary);
    ASSERT_EQ(stepper->step({step, column, sentences, ancestors, kept}, found).message(), "");
    const HostTensor expected = pass(step, step + 1, memory, given);
    for (size_t i = 0; i < found.size(); ++i)
      ASSERT_NEAR(found[i], expected.floats()[i], 2e-5) << "step " << step << " element " << i;
    for (size_t layer = 0; layer < layers; ++layer)
      memory[layer] = lastSteps(memory[layer], given[layer], most);
  }
}

static std::string nameOf(const testing::TestParamInfo<Variant> &info) { return info.param.name; }

static const std::string xl = "mixer = \"relative_attention\"\nmemory = 5\n";
static const std::string bands = "adaptive_input = {{ cutoffs = [9, 14], factor = {0} }}\n"
                                 "adaptive_softmax = {{ cutoffs = [9, 14], factor = {0}, tie_weights = true{1} }}\n";

INSTANTIATE_TEST_SUITE_P(
    Variants, RecurrentModel,
    testing::Values(Variant{"xl_post", "share_embeddings = \"decoder_in_out\"\n", xl},
                    Variant{"xl_pre", "norm = \"pre\"\n", xl},
                    Variant{"xl_same_length", "", "mixer = \"relative_attention\"\nmemory = 5\nsame_length = true\n"},
                    Variant{"xl_capped", "attention_soft_cap = 0.001\n", xl},
                    Variant{"xl_clamped", "", xl + "clamp_length = 3\n"},
                    Variant{"xl_bands", fmt::format(fmt::runtime(bands), 1, ""), xl},
                    Variant{"xl_narrow_bands", fmt::format(fmt::runtime(bands), 2, ", compat = true"), xl},
                    Variant{"xl_tied_bands", fmt::format(fmt::runtime(bands), 2, ", tie_projections = true"), xl},
                    Variant{"span_of_layers", "",
                            "mixer = \"span_attention\"\nattention_span = 8\nspan_ramp = 2\nspan_per = \"layer\"\n"},
                    Variant{"span_capped", "attention_soft_cap = 0.5\n",
                            "mixer = \"span_attention\"\nattention_span = 8\nspan_ramp = 2\n"},
                    Variant{"span", "", "mixer = \"span_attention\"\nattention_span = 8\nspan_ramp = 2\n"}),
    nameOf);
