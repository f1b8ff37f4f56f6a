// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_DATA_PIECEMODEL_H
#define BIFOCAL_RUNTIME_DATA_PIECEMODEL_H

#include "runtime/core/Status.h"

#include <string_view>

namespace bifocal {

/// Checks what the SentencePiece library takes for granted in a serialized model: that the tables by which it
/// normalises text lead nowhere outside of themselves. Whether the model makes sense is left to the library.
/// Errors: `malformed`.
Status checkPieceModel(std::string_view model);

} // namespace bifocal
#endif
