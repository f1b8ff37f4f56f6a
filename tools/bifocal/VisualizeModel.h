// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCAL_VISUALIZEMODEL_H
#define BIFOCAL_TOOLS_BIFOCAL_VISUALIZEMODEL_H

#include "frontend/Spec.h"
#include "tools/bifocal/Model.h"
#include "tools/bifocal/VisualizePage.h"

#include <memory>
#include <string>
#include <vector>

namespace bifocal::tools {

/// What a model reads.
struct ReadTexts {
  std::vector<int32_t> source;   ///< empty for a language model
  std::vector<int32_t> previous; ///< the tokens that the next ones are predicted from
};

/// The spec of a compiled model, or of a file (.toml).
Result<Spec> specOf(const ModelOptions &options);

/// The entry `visualize` of `spec`, compiled for `options.device`, with the weights: run once on `texts`. Numbers are
/// taken in f32, whatever the precision that the model runs with.
Result<std::vector<LayerView>> viewLayers(Spec spec, const ModelOptions &options, ReadTexts texts);

} // namespace bifocal::tools
#endif
