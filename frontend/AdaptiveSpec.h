// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_FRONTEND_ADAPTIVESPEC_H
#define BIFOCAL_FRONTEND_ADAPTIVESPEC_H

#include "frontend/TableReader.h"

namespace bifocal {

/// Reads `adaptive_input` and `adaptive_softmax` of [model], whose other entries are read.
void readAdaptive(TableReader &table, ModelSpec &model);

} // namespace bifocal
#endif
