// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_EMULATOR_SITETABLE_H
#define BIFOCAL_CODEGEN_EMULATOR_SITETABLE_H

#include "codegen/emulator/Launch.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/IR/Module.h"

namespace bifocal::emulator {

/// Numbers the instructions of a module that reports may name, with their lines in the module's text. Made before the
/// module is rewritten.
class SiteTable {
public:
  explicit SiteTable(const llvm::Module &module);

  /// 0 is a site without a place.
  uint32_t index(const llvm::Instruction &instruction) const { return indices.lookup(&instruction); }
  const Site &site(const llvm::Instruction &instruction) const { return sites[index(instruction)]; }
  std::string takeText() { return std::move(text); }
  std::vector<Site> takeSites() { return std::move(sites); }

private:
  std::string text;
  std::vector<Site> sites{1};
  llvm::DenseMap<const llvm::Instruction *, uint32_t> indices;
};

} // namespace bifocal::emulator
#endif
