// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_FRONTEND_ATTENTIONSPEC_H
#define BIFOCAL_FRONTEND_ATTENTIONSPEC_H

#include "frontend/TableReader.h"

namespace bifocal {

/// Reads the keys of a stack that belong to self-attention, plain and differential; `table` has read its `mixer` and
/// `heads`.
void readAttention(TableReader &table, StackSpec &stack, const ModelSpec &model);

/// Reads what [model] says about rotary positions; `table` has read its `positions`.
void readRotary(TableReader &table, ModelSpec &model);

/// Rotary positions turn queries and keys, so some layer has to have them.
void checkRotary(TableReader &root, const Spec &spec);

/// Reads the most that a score of any attention of the model can be.
void readSoftCap(TableReader &table, ModelSpec &model);

/// Some layer has to have scores that it caps.
void checkSoftCap(TableReader &root, const Spec &spec);

/// The keys of `readAttention` as they are written in a spec.
std::string printAttention(const StackSpec &stack);

} // namespace bifocal
#endif
