// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_EMULATOR_INTRINSICS_H
#define BIFOCAL_CODEGEN_EMULATOR_INTRINSICS_H

#include "codegen/emulator/Machine.h"

#include <span>
#include <string_view>

namespace bifocal::emulator {

/// Executes one intrinsic for the current thread. Operands and results lie one by one in words, floats as their bits,
/// pointers as addresses.
using Handler = void (*)(Machine &machine, const uint64_t *operands, uint64_t *results, uint32_t site);

struct IntrinsicEntry {
  std::string_view name;
  Handler handler;
};

/// The handler of `name` in a table; null when it is not there.
Handler findIn(std::span<const IntrinsicEntry> table, std::string_view name);

/// The handler of `llvm.nvvm.` + `name` (without a suffix for address spaces); null when there is none.
Handler findIntrinsic(std::string_view name);

/// The handler of an inline assembly text; null when there is none.
Handler findAssembly(std::string_view text);

/// One line per family: shuffles and votes, matrices, barriers and copies. Null: another family's.
Handler findCollective(std::string_view name);
Handler findMatrixIntrinsic(std::string_view name);

} // namespace bifocal::emulator
#endif
