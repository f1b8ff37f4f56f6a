// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TEST_CODEGEN_CONVTESTDATA_H
#define BIFOCAL_TEST_CODEGEN_CONVTESTDATA_H

#include "runtime/core/Philox.h"
#include "test/Codegen/KernelLevels.h"
#include "test/Codegen/KernelTestData.h"

namespace bifocal::test {

enum class Taps { Raw, Normalized, Renormalized, Compat };

/// What is fixed when a convolution is compiled. light_conv knows neither Renormalized nor Compat: there they are
/// Normalized.
struct ConvForm {
  int64_t heads, width, kernelSize, padding;
  Taps taps;
  bool bias;
  double drop;

  int64_t channels() const { return heads * width; }
};

inline std::ostream &operator<<(std::ostream &out, const ConvForm &form) {
  static const char *const names[] = {"raw", "normalized", "renormalized", "compat"};
  return out << "H" << form.heads << " D" << form.width << " K" << form.kernelSize << " P" << form.padding << ' '
             << names[static_cast<int>(form.taps)] << (form.bias ? " bias" : "") << " drop " << form.drop;
}

constexpr uint64_t convSeed = 0x123456789abcdefull;
constexpr uint32_t convSite = 5, convDraw = 7;

/// The text of the kernels of one form.
struct ConvSource {
  ConvForm form;
  bool dynamic;

  std::string op() const { return dynamic ? "bifocal.dynamic_conv" : "bifocal.light_conv"; }
  std::string count(int64_t number) const { return std::to_string(number); }
  std::string sequence() const { return "tensor<?x?x" + count(form.channels()) + "xf32>"; }
  std::string rows() const { return "tensor<?x" + count(form.channels()) + "xf32>"; }
  std::string vector() const { return "tensor<" + count(form.channels()) + "xf32>"; }
  /// `dims`: those in front of the taps of a dynamic convolution.
  std::string tapsType(const std::string &dims) const {
    return dynamic ? "tensor<" + dims + count(form.heads * form.kernelSize) + "xf32>"
                   : "tensor<" + count(form.heads) + "x1x" + count(form.kernelSize) + "xf32>";
  }
  std::string mode() const {
    std::string words = form.taps == Taps::Raw ? "" : " normalized";
    if (dynamic && form.taps == Taps::Renormalized)
      words += " renormalized";
    if (dynamic && form.taps == Taps::Compat)
      words += " compat";
    return words;
  }
  std::string attributes() const {
    return " {left_padding = " + count(form.padding) + " : i64" +
           (dynamic ? ", heads = " + count(form.heads) + " : i64" : "") +
           (form.drop > 0 ? ", drop_rate = " + std::to_string(form.drop) + " : f32, site = 5 : i32" : "") + "} : ";
  }

  std::string forward() const {
    const std::string x = sequence(), w = tapsType("?x?x"), rng = form.drop > 0 ? ", tensor<2xi64>" : "";
    const std::string bias = form.bias ? ", " + vector() : "";
    return kernelSource("%x: " + x + ", %w: " + w + (form.bias ? ", %b: " + vector() : "") +
                            (form.drop > 0 ? ", %r: tensor<2xi64>" : ""),
                        "%y = " + op() + " %x, %w" + (form.bias ? " bias %b" : "") + (form.drop > 0 ? " rng %r" : "") +
                            mode() + attributes() + "(" + x + ", " + w + bias + rng + ") -> " + x,
                        "%y : " + x);
  }
  std::string gradient() const {
    const std::string x = sequence(), w = tapsType("?x?x"), rng = form.drop > 0 ? ", tensor<2xi64>" : "";
    return kernelSource("%g: " + x + ", %x: " + x + ", %w: " + w + (form.drop > 0 ? ", %r: tensor<2xi64>" : ""),
                        "%dx, %dw = " + op() + "_grad %g, %x, %w" + (form.drop > 0 ? " rng %r" : "") + mode() +
                            attributes() + "(" + x + ", " + x + ", " + w + rng + ") -> (" + x + ", " + w + ")",
                        "%dx, %dw : " + x + ", " + w);
  }
  std::string step() const {
    const std::string x = rows(), w = tapsType("?x"), bias = form.bias ? ", " + vector() : "";
    const std::string cache = "tensor<" + count(form.kernelSize) + "x?x" + count(form.channels()) + "xf32>";
    return "bifocal.state @cache : " + cache + " dims [\"\", \"R\", \"\"]\n" +
           kernelSource("%x: " + x + ", %w: " + w + (form.bias ? ", %b: " + vector() : "") +
                            ", %a: tensor<?x?xi32>, %s: tensor<i32>",
                        "%y = " + op() + "_step %x, %w" + (form.bias ? " bias %b" : "") +
                            " cache @cache ancestors %a step %s" + mode() +
                            (dynamic ? " {heads = " + count(form.heads) + " : i64}" : "") + " : (" + x + ", " + w +
                            bias + ", tensor<?x?xi32>, tensor<i32>) -> " + x,
                        "%y : " + x);
  }
};

/// All tensors of one form at one size.
struct ConvTensors {
  ConvForm form;
  bool dynamic;
  int64_t batch, steps;
  Guarded input, taps, bias, outputGrad;
  std::vector<int64_t> rng{static_cast<int64_t>(convSeed), convDraw};

  ConvTensors(const ConvForm &form, bool dynamic, int64_t batch, int64_t steps)
      : form(form), dynamic(dynamic), batch(batch), steps(steps), input(random(elements(), 1)),
        taps(random(tapElements(), 2, 2.0f)), bias(random(form.channels(), 3)), outputGrad(random(elements(), 4)) {}

  int64_t elements() const { return batch * steps * form.channels(); }
  int64_t tapRow() const { return form.heads * form.kernelSize; }
  int64_t tapElements() const { return (dynamic ? batch * steps : 1) * tapRow(); }
  int64_t at(int64_t b, int64_t t, int64_t c) const { return (b * steps + t) * form.channels() + c; }
  int64_t tapAt(int64_t b, int64_t t, int64_t h) const {
    return (dynamic ? b * steps + t : 0) * tapRow() + h * form.kernelSize;
  }

  std::vector<void *> forwardBuffers(Guarded &output) {
    std::vector<void *> buffers{input, taps};
    if (form.bias)
      buffers.push_back(bias);
    if (form.drop > 0)
      buffers.push_back(rng.data());
    buffers.push_back(output);
    return buffers;
  }
  std::vector<void *> gradientBuffers(Guarded &inputGrad, Guarded &tapsGrad) {
    std::vector<void *> buffers{outputGrad, input, taps};
    if (form.drop > 0)
      buffers.push_back(rng.data());
    buffers.insert(buffers.end(), {inputGrad, tapsGrad});
    return buffers;
  }
  /// Batch and steps of `light` tensors, or of `dynamic` ones when the taps have them too.
  std::vector<int64_t> sizes(int64_t light, int64_t dynamicCount) const {
    std::vector<int64_t> result;
    for (int64_t i = 0; i < (dynamic ? dynamicCount : light); ++i)
      result.insert(result.end(), {batch, steps});
    return result;
  }
  std::vector<int64_t> forwardSizes() const { return sizes(2, 3); }
  std::vector<int64_t> gradientSizes() const { return sizes(3, 5); }
};

class ConvKernels : public testing::TestWithParam<KernelLevel> {
protected:
  std::unique_ptr<KernelHarness> compile(const std::string &source) {
    std::string error;
    auto kernel = KernelHarness::create(source, GetParam().shapes, error, GetParam().instructions);
    EXPECT_TRUE(kernel) << error << source;
    return kernel;
  }
};

} // namespace bifocal::test
#endif
