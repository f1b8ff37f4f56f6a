// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCAL_COMPILEREPORT_H
#define BIFOCAL_TOOLS_BIFOCAL_COMPILEREPORT_H

#include "runtime/core/Artifact.h"

#include <map>

namespace bifocal::tools {

/// Values for the symbols of entries, e.g. {"B", 32}.
using Shape = std::map<std::string, int64_t>;

/// How often each kind of fusion happened, by its remark.
using Fusions = std::map<std::string, int64_t>;

/// `text` ("B=32,S=40") over values that fill a batch of the model's max_tokens with sentences of 32 tokens.
Result<Shape> parseShape(const std::string &text, const Artifact &artifact);

/// Arena bytes of `entry` at `shape`; nothing where a symbol has no value.
std::optional<int64_t> arenaBytes(const EntryPlan &entry, const Shape &shape);

/// Parameters, fusions, entries with their peak memory as a formula and as a number, and what their steps are made of.
std::string describeCompilation(const Artifact &artifact, const Shape &shape, const Fusions &fusions);

/// Ok when a training step at `shape`, with its parameters, gradients and moments, fits `budget` ("8GiB").
Status checkBudget(const Artifact &artifact, const Shape &shape, const std::string &budget);

/// 1.5 GiB, 12.0 MiB, ...
std::string readableBytes(int64_t bytes);

} // namespace bifocal::tools
#endif
