// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCAL_INSPECTKERNELS_H
#define BIFOCAL_TOOLS_BIFOCAL_INSPECTKERNELS_H

#include "runtime/core/Artifact.h"
#include "runtime/core/Roofline.h"
#include "tools/common/ModelShape.h"

#include <string>

namespace bifocal::tools {

/// The kernels for GPUs: how each is launched, and what ptxas says of it for every architecture.
std::string describeKernels(const DeviceCode &code);

/// What the entries of a model take on a card at least, family by family, by the roofline model.
Result<std::string> describeRoofline(const Artifact &artifact, const Card &card, const Shape &shape);

} // namespace bifocal::tools
#endif
