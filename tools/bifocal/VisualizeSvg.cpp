// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The pictures of a page. Sizes are in pixels; a cell of a map has `cell` of them.

#include "runtime/score/Unicode.h"
#include "tools/bifocal/VisualizePage.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace bifocal::tools {
namespace {

constexpr int64_t cell = 14;
/// The longest label that is shown in full; `margin` has room for it.
constexpr int64_t mostLetters = 12, margin = 80;
/// Opacities.
constexpr int levels = 10;

std::string shorten(const std::string &label) {
  const std::vector<char32_t> points = unicode::decode(label);
  if (static_cast<int64_t>(points.size()) <= mostLetters)
    return label;
  std::string text;
  for (int64_t i = 0; i + 1 < mostLetters; ++i)
    unicode::append(text, points[static_cast<size_t>(i)]);
  return text + "…";
}

/// A group whose children are the labels of rows (at the left of a map) or of columns (above it).
std::string labelGroup(const std::string &id, const std::vector<std::string> &labels, bool columns) {
  std::string text = fmt::format("<g id=\"{}\" class=\"{}\">", id, columns ? "columns" : "rows");
  for (size_t i = 0; i < labels.size(); ++i) {
    const auto at = static_cast<int64_t>(i) * cell;
    const std::string place = columns ? fmt::format("transform=\"translate({} -3) rotate(-90)\"", at + 10)
                                      : fmt::format("x=\"-3\" y=\"{}\"", at + 10);
    text += fmt::format("<text {}>{}</text>", place, escapeHtml(shorten(labels[i])));
  }
  return text + "</g>\n";
}

std::vector<std::string> offsetLabels(int64_t taps, int64_t padding) {
  std::vector<std::string> labels;
  for (int64_t k = 0; k < taps; ++k)
    labels.push_back(fmt::format("{}", k - padding));
  return labels;
}

/// What the columns of a view are called in the page, and where a row begins.
std::string columnsId(const LayerView &view) {
  if (view.kind == LayerView::Kind::tokenTaps)
    return fmt::format("offsets-{}-{}", view.columns, view.padding);
  return fmt::format("keys-{}{}", view.keysOfSource ? "source" : "target", view.remembers ? "-memory" : "");
}
std::string rowsId(const LayerView &view) { return view.ofSource ? "rows-source" : "rows-target"; }

std::string_view kindName(LayerView::Kind kind) {
  switch (kind) {
  case LayerView::Kind::attention:
    return "attention";
  case LayerView::Kind::difference:
    return "difference";
  case LayerView::Kind::taps:
    return "taps";
  case LayerView::Kind::tokenTaps:
    return "tokenTaps";
  case LayerView::Kind::lambda:
    return "lambda";
  }
  return "";
}

/// A weight of the scale of its map, from 0 (not drawn) to `levels`. The square root shows small ones.
int levelOf(float weight, float scale) {
  return static_cast<int>(std::lround(levels * std::sqrt(std::min(1.0f, std::abs(weight) / scale))));
}

/// Weights as fixed-point numbers, two digits to the base of 64 each.
struct Digits {
  double low = 0, step = 1;
  static constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  static constexpr int most = 64 * 64 - 1;

  explicit Digits(const LayerView &view) {
    double high = 1;
    for (const float weight : view.values) {
      low = std::min(low, static_cast<double>(weight));
      // Sums of floats exceed 1 by a rounding, which is no reason for another scale.
      if (weight > 1.0001f)
        high = std::max(high, static_cast<double>(weight));
    }
    step = (high - low) / most;
  }
  void append(std::string &text, float weight) const {
    const auto number = static_cast<size_t>(std::clamp<long>(std::lround((weight - low) / step), 0, most));
    text += alphabet[number / 64];
    text += alphabet[number % 64];
  }
};

/// One path for each opacity and sign: runs of equal cells are one stroke.
std::string drawCells(const LayerView &view, int64_t head, float scale) {
  std::array<std::string, 2 * levels + 1> paths;
  for (int64_t row = 0; row < view.rows; ++row)
    for (int64_t column = 0; column < view.columns;) {
      const auto signedLevel = [&](int64_t at) {
        const float weight = view.at(head, row, at);
        return weight < 0 ? -levelOf(weight, scale) : levelOf(weight, scale);
      };
      const int64_t first = column;
      const int level = signedLevel(first);
      while (column < view.columns && signedLevel(column) == level)
        ++column;
      if (level != 0)
        paths[static_cast<size_t>(level + levels)] += fmt::format("M{} {}h{}", first, row, column - first);
    }
  std::string text;
  for (int level = -levels; level <= levels; ++level)
    if (const std::string &path = paths[static_cast<size_t>(level + levels)]; !path.empty())
      text += fmt::format("<path class=\"{}{}\" d=\"{}\"/>", level < 0 ? "m a" : "a", std::abs(level), path);
  return text;
}

} // namespace

std::string escapeHtml(std::string_view text) {
  std::string escaped;
  for (const char32_t point : unicode::decode(text)) {
    switch (point) {
    case '&':
      escaped += "&amp;";
      break;
    case '<':
      escaped += "&lt;";
      break;
    case '>':
      escaped += "&gt;";
      break;
    case '"':
      escaped += "&quot;";
      break;
    default:
      // Control characters are not allowed in XML.
      unicode::append(escaped, point < ' ' || point == 0x7f ? U'\uFFFD' : point);
    }
  }
  return escaped;
}

std::string drawMap(const LayerView &view, int64_t head, float scale) {
  const int64_t left = margin, top = view.kind == LayerView::Kind::tokenTaps ? 28 : margin;
  const int64_t width = view.columns * cell, height = view.rows * cell;
  std::string digits;
  const Digits code(view);
  for (int64_t row = 0; row < view.rows; ++row)
    for (int64_t column = 0; column < view.columns; ++column)
      code.append(digits, view.at(head, row, column));
  return fmt::format("<svg class=\"map\" role=\"img\" width=\"{0}\" height=\"{1}\" viewBox=\"-{2} -{3} {0} {1}\" "
                     "data-kind=\"{17}\" data-layer=\"{4}\" data-head=\"{5}\" data-rows=\"{6}\" data-columns=\"{7}\" "
                     "data-y=\"{8}\" data-x=\"{9}\" "
                     "data-low=\"{10}\" data-step=\"{11}\" data-weights=\"{12}\"><title>{4}, head {5}</title>"
                     "<rect width=\"{13}\" height=\"{14}\"/><g transform=\"scale({15}) translate(0 .5)\">{16}</g>"
                     "<use href=\"#{8}\"/><use href=\"#{9}\"/></svg>",
                     width + left + 2, height + top + 2, left, top, escapeHtml(view.layer), head, view.rows,
                     view.columns, rowsId(view), columnsId(view), code.low, code.step, digits, width, height, cell,
                     drawCells(view, head, scale), kindName(view.kind));
}

std::string drawTaps(const LayerView &view, int64_t head, float low, float high) {
  constexpr int64_t left = 40, top = 6, height = 70, bottom = 24;
  const int64_t bar = view.columns > 16 ? 8 : 14, width = view.columns * bar;
  const auto y = [&](float value) { return static_cast<double>((high - value) / (high - low) * height); };
  std::string bars;
  std::vector<std::string> values;
  // Labels of offsets need some room.
  const int64_t every = view.columns > 16 ? 5 : view.columns > 8 ? 2 : 1;
  for (int64_t k = 0; k < view.columns; ++k) {
    const float value = view.at(head, 0, k);
    const int64_t offset = k - view.padding;
    values.push_back(fmt::format("{:.6f}", value));
    const double begin = std::min(y(value), y(0)), length = std::abs(y(value) - y(0));
    bars += fmt::format("<rect class=\"bar\" x=\"{}\" y=\"{:.1f}\" width=\"{}\" height=\"{:.1f}\"><title>offset {}: "
                        "{:.4f}</title></rect>",
                        k * bar + 1, begin, bar - 2, length, offset, value);
    if (offset % every == 0)
      bars += fmt::format("<text class=\"middle\" x=\"{}\" y=\"{}\">{}</text>", k * bar + bar / 2, height + 11, offset);
  }
  return fmt::format(
      "<svg class=\"taps\" role=\"img\" width=\"{0}\" height=\"{1}\" viewBox=\"-{2} -{3} {0} {1}\" data-layer=\"{4}\" "
      "data-head=\"{5}\" data-taps=\"{6}\"><title>{4}, head {5}</title>"
      "<text class=\"end\" x=\"-3\" y=\"5\">{7:.2f}</text><text class=\"end\" x=\"-3\" y=\"{8}\">{9:.2f}</text>"
      "{10}<path class=\"axis\" d=\"M0 0V{11}M0 {12:.1f}H{13}\"/></svg>",
      width + left + 2, height + top + bottom, left, top, escapeHtml(view.layer), head, fmt::join(values, " "), high,
      height, low, bars, height, y(0), width);
}

std::string drawSpans(const LayerView &view) {
  constexpr int64_t left = 56, row = 14, width = 320;
  const int64_t height = static_cast<int64_t>(view.spans.size()) * row;
  const auto x = [&](double tokens) {
    return std::clamp(tokens / static_cast<double>(view.longestSpan), 0.0, 1.0) * static_cast<double>(width);
  };
  std::string bars;
  std::vector<std::string> values;
  for (size_t head = 0; head < view.spans.size(); ++head) {
    const double span = static_cast<double>(view.spans[head]), end = span + static_cast<double>(view.ramp);
    const int64_t top = static_cast<int64_t>(head) * row + 2, bottom = top + row - 4;
    values.push_back(fmt::format("{:.3f}", span));
    bars +=
        fmt::format("<text class=\"end\" x=\"-4\" y=\"{0}\">head {1}</text><path class=\"bar\" d=\"M0 {2}V{3}H{4:.1f}"
                    "V{2}z\"/><path class=\"ramp\" d=\"M{4:.1f} {2}V{3}H{5:.1f}z\"><title>head {1}: {6:.1f} tokens, "
                    "then a ramp of {7}</title></path>",
                    bottom - 1, head, bottom, top, x(span), x(end), span, view.ramp);
  }
  return fmt::format("<svg class=\"spans\" role=\"img\" width=\"{0}\" height=\"{1}\" viewBox=\"-{2} -4 {0} {1}\" "
                     "data-layer=\"{3}\" data-spans=\"{4}\"><title>spans of {3}</title>{5}"
                     "<path class=\"axis\" d=\"M0 0V{6}H{7}\"/><text x=\"0\" y=\"{8}\">0</text>"
                     "<text class=\"end\" x=\"{7}\" y=\"{8}\">{9} tokens</text></svg>",
                     width + left + 6, height + 22, left, escapeHtml(view.layer), fmt::join(values, " "), bars, height,
                     width, height + 12, view.longestSpan);
}

std::string drawLambdas(const std::vector<LayerView> &views) {
  constexpr int64_t left = 230, row = 16, width = 240;
  double most = 1;
  int64_t count = 0;
  for (const LayerView &view : views)
    if (view.kind == LayerView::Kind::lambda) {
      most = std::max({most, static_cast<double>(std::abs(view.values[0])), view.initialLambda});
      ++count;
    }
  std::string bars;
  int64_t top = 0;
  for (const LayerView &view : views) {
    if (view.kind != LayerView::Kind::lambda)
      continue;
    const double value = static_cast<double>(view.values[0]);
    const auto x = [&](double lambda) { return lambda / most * static_cast<double>(width); };
    bars += fmt::format(
        "<text class=\"end\" x=\"-4\" y=\"{0}\">{1}</text><rect class=\"{2}\" x=\"0\" y=\"{3}\" width=\"{4:.1f}\" "
        "height=\"{5}\" data-lambda=\"{6:.6f}\"><title>{1}: {6:.4f}, at first {7:.4f}</title></rect>"
        "<path class=\"mark\" d=\"M{8:.1f} {3}v{5}\"/><text x=\"{9:.1f}\" y=\"{0}\">{6:.3f}</text>",
        top + row - 5, escapeHtml(view.layer), value < 0 ? "bar m" : "bar", top + 2, x(std::abs(value)), row - 4, value,
        view.initialLambda, x(view.initialLambda), std::max(x(std::abs(value)), x(view.initialLambda)) + 4);
    top += row;
  }
  return fmt::format("<svg class=\"lambda\" role=\"img\" width=\"{0}\" height=\"{1}\" viewBox=\"-{2} -4 {0} {1}\">"
                     "<title>lambda of each layer</title>{3}<path class=\"axis\" d=\"M0 0V{4}\"/></svg>",
                     width + left + 50, top + 8, left, bars, count * row);
}

std::string drawLabels(const Page &page) {
  std::vector<std::string> remembered{"(before)"};
  remembered.insert(remembered.end(), page.target.begin(), page.target.end());
  std::string groups = labelGroup("rows-target", page.target, false) + labelGroup("keys-target", page.target, true) +
                       labelGroup("keys-target-memory", remembered, true);
  if (!page.source.empty())
    groups += labelGroup("rows-source", page.source, false) + labelGroup("keys-source", page.source, true);
  std::vector<std::string> known;
  for (const LayerView &view : page.views)
    if (const std::string id = columnsId(view);
        view.kind == LayerView::Kind::tokenTaps && std::ranges::find(known, id) == known.end()) {
      groups += labelGroup(id, offsetLabels(view.columns, view.padding), true);
      known.push_back(id);
    }
  return "<svg class=\"labels\" width=\"0\" height=\"0\"><defs>\n" + groups + "</defs></svg>\n";
}

std::string drawScale() {
  constexpr int64_t step = 44, height = 12;
  std::string cells;
  for (int level = 0; level <= levels; ++level) {
    const double weight = static_cast<double>(level * level) / (levels * levels);
    cells += fmt::format("<path class=\"wide a{0}\" d=\"M{1} 6h{2}\"/><text class=\"middle\" x=\"{3}\" y=\"{4}\">"
                         "{5:.2f}</text>",
                         level, level * step, step, level * step + step / 2, height + 12, weight);
  }
  return fmt::format("<svg class=\"scale\" role=\"img\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\">"
                     "<title>opacities of weights</title><rect width=\"{0}\" height=\"{2}\"/>{3}</svg>",
                     (levels + 1) * step, height + 16, height, cells);
}

} // namespace bifocal::tools
