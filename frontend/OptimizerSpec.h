// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_FRONTEND_OPTIMIZERSPEC_H
#define BIFOCAL_FRONTEND_OPTIMIZERSPEC_H

#include "frontend/TableReader.h"

namespace bifocal {

/// Reads `optimizer`; settings of other optimizers are errors.
void readOptimizer(TableReader table, OptimizerSpec &optimizer);

/// A preset's settings of its optimizer are no defaults for another one.
void dropOtherOptimizer(const toml::table &user, toml::table &preset);

} // namespace bifocal
#endif
