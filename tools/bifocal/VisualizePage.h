// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCAL_VISUALIZEPAGE_H
#define BIFOCAL_TOOLS_BIFOCAL_VISUALIZEPAGE_H

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// A page of what a model looks at: one file of HTML with pictures as SVG, nothing to load. Pure functions of numbers:
// equal numbers give equal bytes.

namespace bifocal::tools {

/// What is drawn of one layer. Values are [heads, rows, columns].
struct LayerView {
  enum class Kind {
    attention,  ///< rows are steps, columns are keys
    difference, ///< the same, of both signs
    taps,       ///< one row, columns are offsets
    tokenTaps,  ///< rows are steps, columns are offsets
    lambda,     ///< one number
  };
  Kind kind = Kind::attention;
  std::string layer;
  bool ofSource = false, keysOfSource = false; ///< whose steps the rows and the keys are
  bool remembers = false;                      ///< whether the first column is all that is before the text
  int64_t heads = 1, rows = 1, columns = 1;
  int64_t padding = 0; ///< of taps: column k is the offset k - padding
  bool normalized = false;
  std::vector<float> values;
  std::vector<float> spans; ///< of heads, in tokens; empty where they are not learned
  int64_t longestSpan = 0, ramp = 0;
  double initialLambda = 0;

  float at(int64_t head, int64_t row, int64_t column) const {
    return values[static_cast<size_t>((head * rows + row) * columns + column)];
  }
};

struct Page {
  std::string title;
  std::vector<std::pair<std::string, std::string>> facts;
  std::vector<std::string> source, target; ///< labels of the steps; `target` are those of the only text, if it is one
  std::vector<LayerView> views;
};

/// The most bytes of a page that browsers show without delay.
inline constexpr size_t mostPageBytes = 2'000'000;

std::string writePage(const Page &page);

// Parts, for tests and for each other.

/// `text` between tags and in quotes.
std::string escapeHtml(std::string_view text);
/// The number of the layer in its name, or -1.
int64_t layerNumber(std::string_view layer);
/// A map of weights, [rows, columns] of one head, with its axes.
std::string drawMap(const LayerView &view, int64_t head, float scale);
/// Taps of one head as bars.
std::string drawTaps(const LayerView &view, int64_t head, float low, float high);
/// Spans of all heads of a layer, and where they end.
std::string drawSpans(const LayerView &view);
/// Lambda of all layers.
std::string drawLambdas(const std::vector<LayerView> &views);
/// The labels of both axes of all maps, which refer to them by name.
std::string drawLabels(const Page &page);
/// The opacities of weights.
std::string drawScale();

} // namespace bifocal::tools
#endif
