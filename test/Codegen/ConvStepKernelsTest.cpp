// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// light_conv_step and dynamic_conv_step, against the convolutions over sequences: decoding equals teacher forcing.

#include "test/Codegen/ConvTestData.h"

namespace bifocal::test {
namespace {

struct StepCase {
  ConvForm form;
  int64_t rows, steps;
};

// Causal filters. Hypotheses do not fill tiles (8); steps wrap around the cache, and end before they do.
constexpr StepCase cases[] = {
    {{1, 5, 1, 0, Taps::Normalized, true, 0}, 3, 5},       {{3, 20, 2, 1, Taps::Raw, false, 0}, 11, 9},
    {{2, 33, 3, 2, Taps::Compat, true, 0}, 9, 12},         {{1, 150, 4, 3, Taps::Renormalized, false, 0}, 8, 12},
    {{5, 16, 7, 6, Taps::Normalized, true, 0}, 12, 20},    {{2, 64, 31, 30, Taps::Compat, false, 0}, 5, 40},
    {{1, 130, 33, 32, Taps::Renormalized, true, 0}, 4, 9}, {{3, 1, 33, 32, Taps::Compat, true, 0}, 17, 70},
    {{2, 20, 600, 599, Taps::Normalized, true, 0}, 4, 4},  {{1, 33, 600, 599, Taps::Compat, false, 0}, 4, 604},
};

/// A search: hypotheses move between rows at every step, and sometimes there are fewer of them.
class Search {
public:
  Search(const StepCase &test, bool dynamic)
      : form(test.form), dynamic(dynamic), maxRows(test.rows), capacity(test.steps + 2), cacheRows(test.rows + 2),
        lightTaps(random(form.heads * form.kernelSize, 2, 2.0f)), bias(random(form.channels(), 3)),
        cache(form.kernelSize * cacheRows * form.channels()), ancestors(maxRows * capacity) {}

  /// Draws the tensors of the next step; before that, hypotheses continue others.
  void advance();
  std::string run(KernelHarness &kernel, Guarded &output);
  /// The same step as the last (unless the op wants to see the end) of sequences that have `future` more steps.
  ConvTensors teacher(int64_t future) const;
  void checkCache() const;

  int64_t rows = 0, now = -1;

private:
  int64_t rowOf(int64_t hypothesis, int64_t step) const {
    return step == now ? hypothesis : ancestors[hypothesis * capacity + step];
  }

  const ConvForm &form;
  bool dynamic;
  int64_t maxRows, capacity, cacheRows;
  Guarded lightTaps, bias, cache;
  /// Of all steps so far.
  std::vector<Guarded> inputs;
  Guarded taps{0};
  std::vector<int32_t> ancestors;
};

void Search::advance() {
  const std::vector<int32_t> old = ancestors;
  const int64_t oldRows = rows;
  rows = ++now % 3 == 2 && maxRows > 2 ? maxRows - 2 : maxRows;
  for (int64_t row = 0; row < rows && now > 0; ++row) {
    const int64_t parent = (row * 7 + now) % oldRows;
    std::copy_n(old.begin() + parent * capacity, now, ancestors.begin() + row * capacity);
    ancestors[row * capacity + now - 1] = static_cast<int32_t>(parent);
  }
  inputs.push_back(random(rows * form.channels(), 100 + static_cast<unsigned>(now)));
  taps = random(rows * form.heads * form.kernelSize, 5000 + static_cast<unsigned>(now), 2.0f);
}

std::string Search::run(KernelHarness &kernel, Guarded &output) {
  // Steps that the filter does not reach stand in a row of the cache that nobody writes: it is NaN.
  std::vector<int32_t> seen(rows * capacity, static_cast<int32_t>(maxRows));
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t step = std::max<int64_t>(0, now - form.kernelSize + 1); step < now; ++step)
      seen[row * capacity + step] = ancestors[row * capacity + step];
  auto step = static_cast<int32_t>(now);
  std::vector<void *> buffers{inputs.back(), dynamic ? taps : lightTaps};
  if (form.bias)
    buffers.push_back(bias);
  buffers.insert(buffers.end(), {seen.data(), &step, output, cache});
  std::vector<int64_t> sizes{rows, rows, capacity, rows, cacheRows};
  if (dynamic)
    sizes.insert(sizes.begin(), rows);
  return kernel.run(buffers, sizes);
}

ConvTensors Search::teacher(int64_t future) const {
  ConvTensors result(form, dynamic, rows, now + 1 + future);
  result.bias = bias;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t step = 0; step <= now; ++step)
      for (int64_t c = 0; c < form.channels(); ++c)
        result.input[result.at(row, step, c)] = inputs[step][rowOf(row, step) * form.channels() + c];
    for (int64_t k = 0; k < result.tapRow(); ++k)
      result.taps[result.tapAt(row, now, 0) + k] = dynamic ? taps[row * result.tapRow() + k] : lightTaps[k];
  }
  return result;
}

void Search::checkCache() const {
  EXPECT_TRUE(cache.intact());
  const int64_t slot = now % form.kernelSize, channels = form.channels();
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t c = 0; c < channels; ++c)
      ASSERT_EQ(cache[(slot * cacheRows + row) * channels + c], inputs.back()[row * channels + c]) << row << ' ' << c;
  for (int64_t i = maxRows * channels; i < cacheRows * channels; ++i)
    ASSERT_TRUE(std::isnan(cache[slot * cacheRows * channels + i])) << i;
}

/// The first steps, those around the first turn of the cache and around blocks of taps, and some others.
bool isChecked(int64_t step, int64_t kernelSize) {
  return step < 5 || std::abs(step - kernelSize) < 3 || std::abs(step - (kernelSize - 512)) < 2 || step % 97 == 31;
}

class ConvSteps : public ConvKernels {
protected:
  void check(const StepCase &test, bool dynamic) {
    const ConvForm &form = test.form;
    const ConvSource source{form, dynamic};
    auto step = compile(source.step()), forward = compile(source.forward());
    ASSERT_TRUE(step && forward);
    Search search(test, dynamic);
    for (int64_t now = 0; now < test.steps; ++now) {
      SCOPED_TRACE("step " + std::to_string(now));
      search.advance();
      const int64_t channels = form.channels();
      Guarded output(search.rows * channels);
      ASSERT_EQ(search.run(*step, output), "");
      EXPECT_TRUE(output.intact());
      search.checkCache();
      if (HasFatalFailure())
        return;
      if (!isChecked(now, form.kernelSize))
        continue;
      // What compat counts depends on the length of the sequence: a step is the end of one.
      ConvTensors sequences = search.teacher(form.taps == Taps::Compat ? 0 : 3);
      Guarded expected(sequences.elements());
      ASSERT_EQ(forward->run(sequences.forwardBuffers(expected), sequences.forwardSizes()), "");
      for (int64_t row = 0; row < search.rows; ++row)
        for (int64_t c = 0; c < channels; ++c)
          ASSERT_EQ(output[row * channels + c], expected[sequences.at(row, now, c)])
              << "row " << row << " channel " << c;
    }
  }
};

// Bit by bit: a model that is decoded must be the model that was trained.
TEST_P(ConvSteps, LightStepIsThePositionOfTheSequence) {
  for (const StepCase &test : cases) {
    SCOPED_TRACE(testing::PrintToString(test.form));
    check(test, false);
  }
}

TEST_P(ConvSteps, DynamicStepIsThePositionOfTheSequence) {
  for (const StepCase &test : cases) {
    SCOPED_TRACE(testing::PrintToString(test.form));
    check(test, true);
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, ConvSteps, testing::ValuesIn(levelsWithWarps()), levelName);

} // namespace
} // namespace bifocal::test
