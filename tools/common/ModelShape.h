// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_COMMON_MODELSHAPE_H
#define BIFOCAL_TOOLS_COMMON_MODELSHAPE_H

#include "runtime/core/Artifact.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace bifocal::tools {

/// Values of symbols by name, e.g. {B: 32, S: 40}.
using Shape = std::map<std::string, int64_t>;

/// The sizes that `text` names, such as "B=32,S=40".
Result<Shape> parseShape(const std::string &text);

/// `given` over values that fill a batch of the model's max_tokens with sentences of 32 tokens, or with the rows of a
/// language model. An error where the model has no such symbol.
Result<Shape> completeShape(const Shape &given, const Artifact &artifact);

/// The values of the entry's symbols, in order, with 0 for the window; nothing where one has no value.
std::optional<std::vector<int64_t>> symbolValues(const EntryPlan &entry, const Shape &shape);

/// 1.5 GiB, 12.0 MiB, ...
std::string readableBytes(int64_t bytes);

} // namespace bifocal::tools
#endif
