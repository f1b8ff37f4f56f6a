// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_FRONTEND_RECURRENTSPEC_H
#define BIFOCAL_FRONTEND_RECURRENTSPEC_H

#include "frontend/TableReader.h"

namespace bifocal {

/// Whether layers of this mixer read a memory of earlier segments: Transformer-XL and adaptive span.
bool isRecurrent(Mixer mixer);

/// Reads the keys of a stack that belong to its memory and spans; where the mixer has none, they are errors.
void readRecurrent(TableReader &table, StackSpec &stack);

/// What models with a memory ask of the rest of a spec, and what they have where its preset says otherwise; `root` is
/// its whole table.
void checkRecurrent(TableReader &root, Spec &spec);

/// The keys of `readRecurrent` as they are written in a spec.
std::string printRecurrent(const StackSpec &stack);

} // namespace bifocal
#endif
