// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_FRONTEND_BRANCHES_H
#define BIFOCAL_FRONTEND_BRANCHES_H

#include "frontend/TableReader.h"

namespace bifocal {

/// Reads the list of branches that is the `mixer` of a stack, and the stack's keys that belong to it. `dim` is the
/// model's; `table` has read the stack's `layers` and `heads`.
void readBranches(TableReader &table, StackSpec &stack, int64_t dim, bool decoder);

/// The list as it is written in a spec.
std::string printBranches(const StackSpec &stack);

} // namespace bifocal
#endif
