// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_FRONTEND_VIEWS_H
#define BIFOCAL_FRONTEND_VIEWS_H

#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace bifocal {

/// What a layer has to show.
enum class ViewKind {
  attention,  ///< [B, T, heads * columns]: the weight of each key, head by head
  difference, ///< the same of two maps, the second one, times lambda, taken from the first
  taps,       ///< [heads, 1, kernelSize]
  tokenTaps,  ///< [B, T, heads * kernelSize]
  lambda,     ///< a scalar
};

/// A result of the function that `insertViews` makes.
struct View {
  ViewKind kind = ViewKind::attention;
  std::string layer;                   ///< as in the names of its parameters, e.g. `decoder.layers.0.self_attn`
  bool ofSource = false;               ///< whether the steps are the source's, or the target's or the only text's
  bool keysOfSource = false;           ///< of attention
  bool remembers = false;              ///< whether there are keys of earlier segments; their column is `columns - 1`
  int64_t heads = 1;                   ///< of the result
  int64_t kernelSize = 0, padding = 0; ///< of taps: tap k looks at offset k - padding
  bool normalized = false;             ///< whether taps sum to 1
  std::string span;                    ///< the parameter of the spans of heads, if they have any,
  int64_t spanUnit = 0, ramp = 0;      ///< in these units, and where they end softly
  double initialLambda = 0;
};

/// An argument behind those of @forward: a value whose output is the map of weights. In each of `heads` groups of
/// `columns` channels, step s has a one in channel s, and every step of an earlier segment one in the last channel.
struct IdentityArgument {
  bool ofSource = false;
  int64_t heads = 0;
  int64_t memory = -1; ///< the layer whose memory it stands for, or -1
};

struct Views {
  std::vector<View> views;
  std::vector<IdentityArgument> identities;
};

inline constexpr llvm::StringLiteral viewsEntry = "visualize";

/// Turns @forward of an imported module into @visualize, whose results are what layers look at, and erases all other
/// functions. Maps have `columns` columns, more than the texts have steps. A map is the output of the same op for a
/// value of one-hot rows, so it has the weights that the model has, whatever the op computes them from.
Views insertViews(mlir::ModuleOp module, int64_t columns);

} // namespace bifocal
#endif
