// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "bench/kernels/Formulations.h"

#include <torch/csrc/autograd/custom_function.h>

using at::Tensor;

namespace bifocal::bench {
namespace {

/// Sequences longer than this are cut into blocks where a band matrix would be mostly zeros.
constexpr int64_t blockSteps = 64;
/// With more taps a formulation of one pass over memory for each is never the best.
constexpr int64_t mostShifts = 15;

Tensor padTime(const Tensor &x, int64_t left, int64_t right) { return at::constant_pad_nd(x, {0, 0, left, right}); }

/// [..., T, K] taps to the [..., T, T + K - 1] band whose row t holds its taps in the columns t to t + K - 1.
Tensor skew(const Tensor &taps) {
  const int64_t time = taps.size(-2), span = time + taps.size(-1) - 1;
  return at::constant_pad_nd(taps, {0, time}).flatten(-2).narrow(-1, 0, time * span).unflatten(-1, {time, span});
}

/// [B, T, C] to overlapping windows [B, blocks, block + K - 1, C].
Tensor blocksWithHalo(const Tensor &x, int64_t left, int64_t width, int64_t block) {
  const int64_t blocks = (x.size(1) + block - 1) / block;
  const Tensor padded = padTime(x, left, (blocks + 1) * block - x.size(1) - left).unflatten(1, {blocks + 1, block});
  return at::cat({padded.narrow(1, 0, blocks), padded.narrow(1, 1, blocks).narrow(2, 0, width - 1)}, 2);
}

/// [B, n, T, C] to [H, T, B n R]: what one product per head reads.
Tensor columnsOf(const Tensor &windows, int64_t heads) {
  return windows.unflatten(-1, {heads, -1}).permute({3, 2, 0, 1, 4}).reshape({heads, windows.size(2), -1});
}

Tensor lightDepthwise(const Tensor &x, const Tensor &taps, int64_t left) {
  const int64_t channels = x.size(-1), width = taps.size(1), right = width - 1 - left;
  const Tensor filters = taps.repeat_interleave(channels / taps.size(0), 0).view({channels, 1, 1, width});
  // A channels-last image of height 1: the activations are not transposed.
  const Tensor image = (left == right ? x : padTime(x, left, right)).transpose(1, 2).unsqueeze(2);
  const std::vector<int64_t> padding = {0, left == right ? left : 0}, ones = {1, 1};
  return at::conv2d(image, filters, std::nullopt, ones, padding, ones, channels).squeeze(2).transpose(1, 2);
}

Tensor lightGrouped(const Tensor &x, const Tensor &taps, int64_t left) {
  const int64_t batch = x.size(0), time = x.size(1), channels = x.size(2), heads = taps.size(0);
  const Tensor rows = x.view({batch, time, heads, -1}).permute({0, 3, 2, 1}).reshape({-1, heads, time});
  const Tensor padded = at::constant_pad_nd(rows, {left, taps.size(1) - 1 - left});
  const std::vector<int64_t> none = {0}, ones = {1};
  const Tensor y = at::conv1d(padded, taps.unsqueeze(1), std::nullopt, ones, none, ones, heads);
  return y.view({batch, channels / heads, heads, time}).permute({0, 3, 2, 1}).reshape({batch, time, channels});
}

Tensor lightBand(const Tensor &x, const Tensor &taps, int64_t left) {
  const int64_t batch = x.size(0), time = x.size(1), channels = x.size(2), heads = taps.size(0), width = taps.size(1);
  if (time <= blockSteps || width > blockSteps) {
    const Tensor band = skew(taps.unsqueeze(1).expand({heads, time, width})).narrow(-1, left, time);
    const Tensor y = at::bmm(band, columnsOf(x.unsqueeze(1), heads));
    return y.view({heads, time, batch, -1}).permute({2, 1, 0, 3}).reshape({batch, time, channels});
  }
  const Tensor windows = blocksWithHalo(x, left, width, blockSteps);
  const int64_t blocks = windows.size(1);
  const Tensor band = skew(taps.unsqueeze(1).expand({heads, blockSteps, width}));
  const Tensor y = at::bmm(band, columnsOf(windows, heads)).view({heads, blockSteps, batch, blocks, -1});
  return y.permute({2, 3, 1, 0, 4}).reshape({batch, blocks * blockSteps, channels}).narrow(1, 0, time);
}

Tensor lightShifts(const Tensor &x, const Tensor &taps, int64_t left) {
  const int64_t heads = taps.size(0), width = taps.size(1), time = x.size(1);
  const Tensor padded = padTime(x, left, width - 1 - left).unflatten(-1, {heads, -1});
  Tensor y = padded.narrow(1, 0, time) * taps.narrow(1, 0, 1);
  for (int64_t k = 1; k < width; ++k)
    y = at::addcmul(y, padded.narrow(1, k, time), taps.narrow(1, k, 1));
  return y.flatten(-2);
}

/// The depthwise forward, whose gradient for the taps is the library's weak side: here diagonal sums of one product per
/// head.
class HybridLightConv : public torch::autograd::Function<HybridLightConv> {
public:
  static Tensor forward(torch::autograd::AutogradContext *context, const Tensor &x, const Tensor &taps, int64_t left) {
    context->save_for_backward({x, taps});
    context->saved_data["left"] = left;
    return lightDepthwise(x, taps, left);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &x = saved[0], &taps = saved[1], &gradient = gradients[0];
    const int64_t left = context->saved_data["left"].toInt(), heads = taps.size(0), width = taps.size(1),
                  time = x.size(1);
    const Tensor dx = lightDepthwise(gradient, taps.flip(1), width - 1 - left);
    const int64_t block = width <= blockSteps ? std::min(time, blockSteps) : time;
    Tensor windows = padTime(x, left, width - 1 - left).unsqueeze(1), rows = gradient.unsqueeze(1);
    if (block < time) {
      windows = blocksWithHalo(x, left, width, block);
      rows = padTime(gradient, 0, windows.size(1) * block - time).unflatten(1, {-1, block});
    }
    const int64_t span = block + width - 1;
    const Tensor dense = at::bmm(columnsOf(rows, heads), columnsOf(windows, heads).transpose(1, 2));
    const Tensor diagonals = dense.as_strided({heads, block, width}, {block * span, span + 1, 1});
    return {dx, diagonals.sum(1), Tensor()};
  }
};

Tensor dynamicBand(const Tensor &x, const Tensor &taps, int64_t left) {
  const int64_t batch = x.size(0), time = x.size(1), channels = x.size(2), heads = taps.size(2), width = taps.size(3);
  if (time <= blockSteps || width > blockSteps) {
    const Tensor band = skew(taps.transpose(1, 2)).narrow(-1, left, time);
    const Tensor y = at::matmul(band, x.view({batch, time, heads, -1}).transpose(1, 2));
    return y.transpose(1, 2).reshape({batch, time, channels});
  }
  const Tensor windows = blocksWithHalo(x, left, width, blockSteps).unflatten(-1, {heads, -1}).transpose(2, 3);
  const int64_t blocks = windows.size(1);
  const Tensor rows = at::constant_pad_nd(taps, {0, 0, 0, 0, 0, blocks * blockSteps - time})
                          .unflatten(1, {blocks, blockSteps})
                          .transpose(2, 3);
  const Tensor y = at::matmul(skew(rows), windows).transpose(2, 3);
  return y.reshape({batch, blocks * blockSteps, channels}).narrow(1, 0, time);
}

Tensor dynamicUnfold(const Tensor &x, const Tensor &taps, int64_t left) {
  const int64_t heads = taps.size(2), width = taps.size(3);
  const Tensor windows = padTime(x, left, width - 1 - left).unfold(1, width, 1).unflatten(2, {heads, -1});
  return at::matmul(windows, taps.unsqueeze(-1)).reshape(x.sizes());
}

Tensor dynamicShifts(const Tensor &x, const Tensor &taps, int64_t left) {
  const int64_t heads = taps.size(2), width = taps.size(3), time = x.size(1);
  const Tensor padded = padTime(x, left, width - 1 - left).unflatten(-1, {heads, -1});
  Tensor y = padded.narrow(1, 0, time) * taps.narrow(3, 0, 1);
  for (int64_t k = 1; k < width; ++k)
    y = at::addcmul(y, padded.narrow(1, k, time), taps.narrow(3, k, 1));
  return y.flatten(-2);
}

using Conv = Tensor (*)(const Tensor &x, const Tensor &taps, int64_t left);

Tensor lightHybrid(const Tensor &x, const Tensor &taps, int64_t left) { return HybridLightConv::apply(x, taps, left); }

} // namespace

std::vector<Formulation> lightConvFormulations(int64_t width) {
  std::vector<std::pair<const char *, Conv>> all = {
      {"depthwise", lightDepthwise}, {"grouped", lightGrouped}, {"band", lightBand}, {"hybrid", lightHybrid}};
  if (width <= mostShifts)
    all.emplace_back("shifts", lightShifts);
  std::vector<Formulation> formulations;
  for (auto [name, conv] : all)
    formulations.push_back({name, [conv = conv](const std::vector<Tensor> &inputs) {
                              const Tensor taps = inputs[1].squeeze(1).softmax(-1);
                              return conv(inputs[0], taps, taps.size(1) - 1);
                            }});
  return formulations;
}

std::vector<Formulation> dynamicConvFormulations(int64_t heads, int64_t width) {
  std::vector<std::pair<const char *, Conv>> all = {{"band", dynamicBand}, {"unfold", dynamicUnfold}};
  if (width <= mostShifts)
    all.emplace_back("shifts", dynamicShifts);
  std::vector<Formulation> formulations;
  for (auto [name, conv] : all)
    formulations.push_back({name, [conv = conv, heads, width](const std::vector<Tensor> &inputs) {
                              const Tensor taps = inputs[1].unflatten(-1, {heads, width}).softmax(-1);
                              return conv(inputs[0], taps, width - 1);
                            }});
  return formulations;
}

} // namespace bifocal::bench
