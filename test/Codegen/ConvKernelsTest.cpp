// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// light_conv, dynamic_conv and their gradients, against references in f64.

#include "test/Codegen/ConvTestData.h"

namespace bifocal::test {
namespace {

// Heads that are narrower than a vector, that end inside one, and that take several slices (32, 64 and 128 channels);
// filters of whole and of broken groups of taps, longer than a slab of inputs (512), and with every kind of padding.
constexpr ConvForm forms[] = {
    {1, 1, 1, 0, Taps::Raw, false, 0},
    {3, 5, 2, 1, Taps::Normalized, true, 0},
    {2, 20, 3, 1, Taps::Normalized, false, .25},
    {1, 33, 4, 0, Taps::Raw, true, .5},
    {4, 16, 7, 6, Taps::Compat, true, 0},
    {5, 5, 31, 15, Taps::Renormalized, false, .1},
    {2, 64, 31, 30, Taps::Normalized, true, .3},
    {3, 20, 33, 32, Taps::Compat, false, .2},
    {1, 130, 7, 3, Taps::Renormalized, true, 0},
    {2, 9, 12, 5, Taps::Compat, false, 0},
    {2, 150, 33, 16, Taps::Raw, false, 0},
    {1, 260, 2, 0, Taps::Renormalized, false, 0},
    {3, 1, 600, 599, Taps::Compat, true, 0},
    {1, 33, 600, 300, Taps::Normalized, true, .1},
    {2, 5, 600, 0, Taps::Renormalized, false, .25},
};

struct Size {
  int64_t batch, steps;
};

/// Whole numbers in [low, high], the same on any standard library.
int64_t draw(std::mt19937 &generator, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(generator() % static_cast<uint64_t>(high - low + 1));
}

/// What nobody thought of.
ConvForm randomForm(std::mt19937 &generator) {
  ConvForm form{};
  form.heads = draw(generator, 1, 6);
  form.width = draw(generator, 1, 75);
  form.kernelSize = draw(generator, 1, 40);
  form.padding = draw(generator, 0, 2) == 0 ? form.kernelSize - 1 : draw(generator, 0, form.kernelSize - 1);
  form.taps = static_cast<Taps>(draw(generator, 0, 3));
  form.bias = draw(generator, 0, 1) == 1;
  form.drop = static_cast<double>(draw(generator, 0, 2)) / 8;
  return form;
}

/// Steps around the chunks of tiles (64 and 128), and sequences that are shorter and longer than the filter.
std::vector<Size> sizesFor(const ConvForm &form) {
  if (form.kernelSize > 200) // the reference takes every tap of every step
    return {{1, 1}, {2, 3}, {1, 65}, {2, 129}, {1, 650}};
  return {{1, 1}, {2, 3}, {3, 9}, {1, 64}, {2, 65}, {1, 128}, {2, 129}, {1, 200}};
}

/// The definitions of the ops.
class Reference {
public:
  explicit Reference(const ConvTensors &tensors);

  double output(int64_t b, int64_t t, int64_t c) const;
  void differentiate();

  /// The taps before the drop, and what the drop multiplies them with.
  std::vector<double> soft, factor;
  std::vector<double> inputGrad, tapsGrad;
  /// Per tap: the largest size of a gradient in its row, before the softmax.
  std::vector<double> tapsGradSize;

private:
  void normalize(int64_t t, int64_t row);
  double used(int64_t tap) const { return soft[tap] * factor[tap]; }

  const ConvTensors &tensors;
  const ConvForm &form;
};

Reference::Reference(const ConvTensors &tensors)
    : soft(tensors.tapElements()), factor(tensors.tapElements(), 1.0), tensors(tensors), form(tensors.form) {
  const auto rate = static_cast<float>(form.drop);
  for (int64_t tap = 0; tap < tensors.tapElements(); ++tap) {
    soft[tap] = tensors.taps[tap];
    if (rate > 0)
      factor[tap] = philoxDraw(convSeed, tap, convSite, convDraw) < dropThreshold(rate) ? 0 : 1 / (1.0 - rate);
  }
  for (int64_t row = 0; row < tensors.tapElements() && form.taps != Taps::Raw; row += form.kernelSize)
    normalize(row / tensors.tapRow() % tensors.steps, row);
}

void Reference::normalize(int64_t t, int64_t row) {
  double sum = 0;
  for (int64_t k = 0; k < form.kernelSize; ++k) {
    const int64_t seen = t + k - form.padding;
    bool counts = true;
    if (tensors.dynamic && form.taps == Taps::Renormalized)
      counts = seen >= 0 && seen < tensors.steps;
    else if (tensors.dynamic && form.taps == Taps::Compat && form.padding == form.kernelSize - 1)
      counts = k >= form.kernelSize - tensors.steps;
    sum += soft[row + k] = counts ? std::exp(soft[row + k]) : 0.0;
  }
  for (int64_t k = 0; k < form.kernelSize; ++k)
    soft[row + k] /= sum;
}

double Reference::output(int64_t b, int64_t t, int64_t c) const {
  double sum = form.bias ? tensors.bias[c] : 0.0;
  const int64_t row = tensors.tapAt(b, t, c / form.width);
  for (int64_t k = 0; k < form.kernelSize; ++k)
    if (const int64_t seen = t + k - form.padding; seen >= 0 && seen < tensors.steps)
      sum += used(row + k) * tensors.input[tensors.at(b, seen, c)];
  return sum;
}

void Reference::differentiate() {
  inputGrad.assign(tensors.elements(), 0.0);
  tapsGrad.assign(tensors.tapElements(), 0.0);
  tapsGradSize.assign(tensors.tapElements(), 0.0);
  for (int64_t b = 0; b < tensors.batch; ++b)
    for (int64_t t = 0; t < tensors.steps; ++t)
      for (int64_t c = 0; c < form.channels(); ++c) {
        const int64_t row = tensors.tapAt(b, t, c / form.width);
        const double gradient = tensors.outputGrad[tensors.at(b, t, c)];
        for (int64_t k = 0; k < form.kernelSize; ++k)
          if (const int64_t seen = t + k - form.padding; seen >= 0 && seen < tensors.steps) {
            inputGrad[tensors.at(b, seen, c)] += used(row + k) * gradient;
            tapsGrad[row + k] += factor[row + k] * gradient * tensors.input[tensors.at(b, seen, c)];
          }
      }
  for (int64_t row = 0; row < tensors.tapElements(); row += form.kernelSize) {
    double mean = 0, size = 0;
    for (int64_t k = row; k < row + form.kernelSize; ++k) {
      mean += soft[k] * tapsGrad[k];
      size = std::max(size, std::abs(tapsGrad[k]));
    }
    for (int64_t k = row; k < row + form.kernelSize; ++k) {
      tapsGradSize[k] = size;
      if (form.taps != Taps::Raw)
        tapsGrad[k] = soft[k] * (tapsGrad[k] - mean);
    }
  }
}

/// What the drop makes of 1.
double dropScale(const ConvForm &form) { return 1 / (1 - form.drop); }

/// Sums take one tap after the other (so a lane has as many roundings as there are taps), of a size of up to 2; those
/// of a softmax add up to 1 and bring the errors of their exponentials and of their sum.
double bound(const ConvForm &form) { return 2 * dropScale(form) * sumBound(16 * form.kernelSize); }

/// A lane takes one product of every step and vector of channels; a softmax subtracts the mean of such sums, and the
/// error of a tap is relative to the tap itself.
double tapBound(const ConvTensors &tensors, const Reference &reference, int64_t tap) {
  const ConvForm &form = tensors.form;
  const int64_t lane = (tensors.dynamic ? 1 : tensors.batch * tensors.steps) * ((form.width + 15) / 16);
  const double error = dropScale(form) * sumBound(16 * lane);
  if (form.taps == Taps::Raw)
    return error;
  return reference.soft[tap] * (2 * error + 4 * sumBound(form.kernelSize) * reference.tapsGradSize[tap]);
}

void checkForward(ConvTensors &tensors, KernelHarness &kernel) {
  Guarded output(tensors.elements());
  ASSERT_EQ(kernel.run(tensors.forwardBuffers(output), tensors.forwardSizes(), 2), "");
  const Reference reference(tensors);
  for (int64_t b = 0; b < tensors.batch; ++b)
    for (int64_t t = 0; t < tensors.steps; ++t)
      for (int64_t c = 0; c < tensors.form.channels(); ++c)
        ASSERT_NEAR(output[tensors.at(b, t, c)], reference.output(b, t, c), bound(tensors.form))
            << "batch " << b << " step " << t << " channel " << c;
  EXPECT_TRUE(output.intact());
}

void checkGradients(ConvTensors &tensors, KernelHarness &kernel) {
  Guarded inputGrad(tensors.elements()), tapsGrad(tensors.tapElements());
  ASSERT_EQ(kernel.run(tensors.gradientBuffers(inputGrad, tapsGrad), tensors.gradientSizes(), 2), "");
  Reference reference(tensors);
  reference.differentiate();
  for (int64_t at = 0; at < tensors.elements(); ++at)
    ASSERT_NEAR(inputGrad[at], reference.inputGrad[at], bound(tensors.form)) << "element " << at;
  for (int64_t tap = 0; tap < tensors.tapElements(); ++tap)
    ASSERT_NEAR(tapsGrad[tap], reference.tapsGrad[tap], tapBound(tensors, reference, tap)) << "tap " << tap;
  EXPECT_TRUE(inputGrad.intact() && tapsGrad.intact());
}

using Check = void (*)(ConvTensors &, KernelHarness &);

class ConvSequences : public ConvKernels {
protected:
  void check(bool dynamic, bool gradient, Check body) {
    for (const ConvForm &form : forms)
      checkForm(form, sizesFor(form), dynamic, gradient, body);
    std::mt19937 generator(dynamic ? 11 : 12);
    for (int round = 0; round < (onWarps() ? 2 : 6); ++round) {
      const ConvForm form = randomForm(generator);
      std::vector<Size> sizes;
      for (int64_t longest : {4, 20, 150})
        sizes.push_back({draw(generator, 1, 3), draw(generator, 1, longest)});
      checkForm(form, sizes, dynamic, gradient, body);
    }
  }

  static bool onWarps() { return GetParam().shapes == "warp"; }

private:
  void checkForm(const ConvForm &form, const std::vector<Size> &sizes, bool dynamic, bool gradient, Check body) {
    SCOPED_TRACE(testing::PrintToString(form));
    const ConvSource source{form, dynamic};
    auto kernel = compile(gradient ? source.gradient() : source.forward());
    ASSERT_TRUE(kernel);
    for (auto [batch, steps] : sizes) {
      // The emulator takes its time: one tile and a tail are enough there.
      if (onWarps() && batch * steps > 20 && steps != 65)
        continue;
      SCOPED_TRACE("B" + std::to_string(batch) + " T" + std::to_string(steps));
      ConvTensors tensors(form, dynamic, batch, steps);
      body(tensors, *kernel);
    }
  }
};

TEST_P(ConvSequences, LightForwardFollowsTheDefinition) { check(false, false, checkForward); }
TEST_P(ConvSequences, DynamicForwardFollowsTheDefinition) { check(true, false, checkForward); }
TEST_P(ConvSequences, LightGradientsFollowTheDefinition) { check(false, true, checkGradients); }
TEST_P(ConvSequences, DynamicGradientsFollowTheDefinition) { check(true, true, checkGradients); }

/// Sequence 1 of `source` alone.
ConvTensors second(const ConvTensors &source) {
  ConvTensors result(source.form, source.dynamic, 1, source.steps);
  for (int64_t i = 0; i < result.elements(); ++i) {
    result.input[i] = source.input[result.elements() + i];
    result.outputGrad[i] = source.outputGrad[result.elements() + i];
  }
  for (int64_t i = 0; i < result.tapElements(); ++i)
    result.taps[i] = source.taps[(source.dynamic ? result.tapElements() : 0) + i];
  return result;
}

/// NaN wherever sequence 1 must not look.
void spoilOthers(ConvTensors &tensors) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  auto spoil = [&](Guarded &values) {
    for (int64_t i = 0; i < values.size(); ++i)
      if (i / (values.size() / tensors.batch) != 1)
        values[i] = nan;
  };
  spoil(tensors.input);
  spoil(tensors.outputGrad);
  if (tensors.dynamic)
    spoil(tensors.taps);
}

// Not even in the last bit: what a batch is put together from must not matter.
TEST_P(ConvSequences, RowsDoNotDependOnTheBatch) {
  for (const ConvForm &form :
       {ConvForm{3, 20, 7, 3, Taps::Renormalized, true, 0}, {1, 33, 540, 539, Taps::Compat, false, 0}})
    for (bool dynamic : {false, true}) {
      SCOPED_TRACE(testing::PrintToString(form) + (dynamic ? " dynamic" : " light"));
      const ConvSource source{form, dynamic};
      auto forward = compile(source.forward()), gradient = compile(source.gradient());
      ASSERT_TRUE(forward && gradient);
      ConvTensors all(form, dynamic, 3, 131);
      spoilOthers(all);
      ConvTensors one = second(all);
      const int64_t count = one.elements(), taps = one.tapElements();
      Guarded outputs(all.elements()), output(count), inputGrads(all.elements()), inputGrad(count);
      Guarded tapsGrads(all.tapElements()), tapsGrad(taps);
      ASSERT_EQ(forward->run(all.forwardBuffers(outputs), all.forwardSizes()), "");
      ASSERT_EQ(forward->run(one.forwardBuffers(output), one.forwardSizes()), "");
      ASSERT_EQ(gradient->run(all.gradientBuffers(inputGrads, tapsGrads), all.gradientSizes()), "");
      ASSERT_EQ(gradient->run(one.gradientBuffers(inputGrad, tapsGrad), one.gradientSizes()), "");
      for (int64_t i = 0; i < count; ++i) {
        ASSERT_EQ(outputs[count + i], output[i]) << i;
        ASSERT_EQ(inputGrads[count + i], inputGrad[i]) << i;
      }
      for (int64_t i = 0; dynamic && i < taps; ++i)
        ASSERT_EQ(tapsGrads[taps + i], tapsGrad[i]) << i;
    }
}

INSTANTIATE_TEST_SUITE_P(Levels, ConvSequences, testing::ValuesIn(levelsWithWarps()), levelName);

} // namespace
} // namespace bifocal::test
