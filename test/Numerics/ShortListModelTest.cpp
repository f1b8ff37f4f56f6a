// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Translation models with a short list of the vocabulary, compiled and run: the tokens in it share all of the
// probability, in the proportions that all tokens give them.

#include "runtime/decode/Translator.h"
#include "tools/bifocal-golden/CompiledModule.h"

#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <numeric>

using namespace bifocal;
using golden::CompiledModule;
using golden::HostTensor;

namespace {
struct Variant {
  std::string name, mixer, sharing, precision;
};

void PrintTo(const Variant &variant, std::ostream *out) { *out << variant.name; }

constexpr int64_t vocabulary = 2048, listed = 512, sentences = 3, sourceSteps = 7, steps = 4, dim = 32;

class ShortListModel : public testing::TestWithParam<Variant> {
protected:
  void SetUp() override {
    const Variant &variant = GetParam();
    const std::string stack = fmt::format("layers = 1\nheads = 4\nffn_dim = 48\nmixer = \"{}\"\n{}", variant.mixer,
                                          variant.mixer == "attention" ? "" : "kernel_sizes = [3]\n");
    auto compiled = CompiledModule::ofSpec(
        fmt::format("[model]\ndim = {}\nvocabulary = {}\nshare_embeddings = \"{}\"\n[encoder]\n{}[decoder]\n{}"
                    "[training]\nprecision = \"{}\"\n",
                    dim, vocabulary, variant.sharing, stack, stack, variant.precision));
    ASSERT_TRUE(compiled.ok()) << compiled.status().message();
    model = compiled.take();
    model->session().initialize(5);
    ASSERT_EQ(model->session()
                  .sizeStates({{"B", sentences}, {"S", sourceSteps}, {"R", sentences}, {"N", sentences}, {"P", steps}})
                  .message(),
              "");
    std::vector<int64_t> ids(sentences * sourceSteps);
    for (size_t i = 0; i < ids.size(); ++i)
      ids[i] = static_cast<int64_t>(4 + 97 * i % (vocabulary - 4));
    HostTensor source = HostTensor::ofInts({sentences, sourceSteps}, ids);
    HostTensor encoded = HostTensor::zeros({sentences, sourceSteps, dim});
    ASSERT_EQ(model->run("encode", {{"source", &source}, {"encoder_output", &encoded}}).message(), "");
    for (int64_t i = 0; i < listed; ++i)
      list.push_back(i < 4 ? i : 4 * i + i % 3);
  }

  /// Log-probabilities at a step, of all tokens or of the list.
  HostTensor scores(int64_t step, bool short_) {
    std::vector<int64_t> tokens, rows(sentences), ancestors, places(sentences, 2 + step), number{step};
    std::iota(rows.begin(), rows.end(), 0);
    for (const int64_t row : rows) {
      tokens.push_back(step == 0 ? 2 : 5 + 31 * step + 7 * row);
      ancestors.insert(ancestors.end(), steps, row);
    }
    HostTensor token = HostTensor::ofInts({sentences}, tokens), position = HostTensor::ofInts({sentences}, places);
    HostTensor sentence = HostTensor::ofInts({sentences}, rows), at = HostTensor::ofInts({}, number);
    HostTensor history = HostTensor::ofInts({sentences, steps}, ancestors);
    HostTensor candidates = HostTensor::ofInts({listed}, list);
    HostTensor found = HostTensor::zeros({sentences, short_ ? listed : vocabulary});
    std::map<std::string, HostTensor *> tensors = {
        {"tokens", &token}, {"positions", &position},     {"sentences", &sentence}, {"ancestors", &history},
        {"step", &at},      {"log_probabilities", &found}};
    if (short_)
      tensors["short_list"] = &candidates;
    EXPECT_EQ(model->run(short_ ? "decode_short_list" : "decode_step", tensors).message(), "");
    return found;
  }

  std::unique_ptr<CompiledModule> model;
  std::vector<int64_t> list;
};
} // namespace

TEST_P(ShortListModel, its_tokens_share_all_of_the_probability) {
  for (int64_t step = 0; step < steps; ++step) {
    // The second call writes the same into the caches.
    const HostTensor all = scores(step, false), few = scores(step, true);
    for (int64_t row = 0; row < sentences; ++row) {
      const auto of = [&](int64_t token) {
        return static_cast<double>(all.floats()[static_cast<size_t>(row * vocabulary + token)]);
      };
      double sum = 0;
      for (const int64_t token : list)
        sum += std::exp(of(token));
      ASSERT_LT(sum, 0.9) << "the list is a part of the vocabulary";
      for (int64_t i = 0; i < listed; ++i)
        ASSERT_NEAR(few.floats()[static_cast<size_t>(row * listed + i)],
                    of(list[static_cast<size_t>(i)]) - std::log(sum), 1e-5)
            << "row " << row << " step " << step << " token " << list[static_cast<size_t>(i)];
    }
  }
}

// From C++: tokens of a translation are in its list, and what does not fit model or table is an error.
TEST_P(ShortListModel, translations_are_made_of_it) {
  std::vector<int32_t> frequent(vocabulary);
  std::iota(frequent.begin(), frequent.end(), 0);
  const LexicalTable table(std::vector<std::vector<LexicalTable::Translation>>(vocabulary), frequent);
  TranslateOptions options;
  options.beam.maxLengthOffset = 6;
  options.table = &table;
  std::vector<std::vector<int32_t>> source{{100, 2000, 2}, {7, 2}};
  const auto found = translate(model->session(), source, options);
  ASSERT_TRUE(found.ok()) << found.status().message();
  for (const Hypotheses &hypotheses : *found)
    for (const Hypothesis &hypothesis : hypotheses)
      for (const int32_t token : hypothesis.tokens)
        EXPECT_LT(token, listed) << "without translations a list has the most frequent tokens";
  source[1][0] = -1;
  EXPECT_EQ(translate(model->session(), source, options).status().message(),
            "expects source tokens from 0 to below 2048, as the lexical table has, but got -1");
  frequent.pop_back();
  const LexicalTable other({}, frequent);
  options.table = &other;
  EXPECT_EQ(translate(model->session(), source, options).status().message(),
            "expects a lexical table of 2048 target tokens, as the model has, but got 2047");
}

TEST_P(ShortListModel, tokens_outside_of_the_vocabulary_are_refused) {
  list[3] = vocabulary;
  HostTensor candidates = HostTensor::ofInts({listed}, list);
  std::vector<int64_t> zeros(sentences * steps, 0), number{0};
  HostTensor rows = HostTensor::ofInts({sentences}, std::span(zeros).first(sentences));
  HostTensor history = HostTensor::ofInts({sentences, steps}, zeros), at = HostTensor::ofInts({}, number);
  HostTensor found = HostTensor::zeros({sentences, listed});
  EXPECT_EQ(model
                ->run("decode_short_list", {{"tokens", &rows},
                                            {"positions", &rows},
                                            {"sentences", &rows},
                                            {"ancestors", &history},
                                            {"step", &at},
                                            {"short_list", &candidates},
                                            {"log_probabilities", &found}})
                .message(),
            "entry 'decode_short_list', input 'short_list': expects values from 0 to below 2048, but got 2048 at [3]");
}

INSTANTIATE_TEST_SUITE_P(Models, ShortListModel,
                         testing::Values(Variant{"light", "light_conv", "all", "f32"},
                                         Variant{"dynamic_apart", "dynamic_conv", "none", "f32"},
                                         Variant{"attention_bf16", "attention", "all", "bf16"}),
                         [](const auto &variant) { return variant.param.name; });
