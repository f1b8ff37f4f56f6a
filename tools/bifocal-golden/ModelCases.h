// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCALGOLDEN_MODELCASES_H
#define BIFOCAL_TOOLS_BIFOCALGOLDEN_MODELCASES_H

#include "tools/bifocal-golden/Cases.h"
#include "tools/bifocal-golden/CompiledModule.h"
#include "tools/bifocal-golden/ModelSpec.h"

namespace bifocal::golden {

/// Copies every `param.` tensor into the slab.
Status loadParameters(CompiledModule &module, const GoldenFile &file);

} // namespace bifocal::golden
#endif
