// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cuda/DebugLocations.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/Transforms/Passes.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "llvm/IR/DebugInfoMetadata.h"

using namespace mlir;

namespace bifocal {

static FileLineColLoc placeIn(StringAttr file, Location location) {
  FileLineColLoc place;
  location->walk([&](Location part) {
    place = dyn_cast<FileLineColLoc>(part);
    if (place && place.getFilename() == file)
      return WalkResult::interrupt();
    place = {};
    return WalkResult::advance();
  });
  return place;
}

static void givePlaces(LLVM::LLVMFuncOp function) {
  auto own = function.getLoc()->findInstanceOf<FileLineColLoc>();
  if (!own)
    return;
  // A location made of several would become line 0.
  function.walk([&](Operation *op) {
    FileLineColLoc place = placeIn(own.getFilename(), op->getLoc());
    op->setLoc(place ? place : own);
  });
}

LogicalResult attachDebugLocations(ModuleOp module) {
  for (auto function : module.getOps<LLVM::LLVMFuncOp>())
    givePlaces(function);
  PassManager manager(module.getContext(), ModuleOp::getOperationName());
  manager.addPass(LLVM::createDIScopeForLLVMFuncOpPass());
  if (failed(manager.run(module)))
    return failure();
  AttrTypeReplacer replacer;
  replacer.addReplacement([](LLVM::DICompileUnitAttr unit) -> Attribute {
    return LLVM::DICompileUnitAttr::get(unit.getId(), unit.getSourceLanguage(), unit.getFile(), unit.getProducer(),
                                        unit.getIsOptimized(), LLVM::DIEmissionKind::DebugDirectivesOnly);
  });
  replacer.recursivelyReplaceElementsIn(module, /*replaceAttrs=*/false, /*replaceLocs=*/true);
  return success();
}

void completeDebugLocations(llvm::Module &module) {
  for (llvm::Function &function : module) {
    llvm::DISubprogram *scope = function.getSubprogram();
    if (!scope)
      continue;
    auto *place = llvm::DILocation::get(module.getContext(), scope->getLine(), 0, scope);
    for (llvm::BasicBlock &block : function)
      for (llvm::Instruction &instruction : block)
        if (!instruction.getDebugLoc() || instruction.getDebugLoc().getLine() == 0)
          instruction.setDebugLoc(place);
  }
}

} // namespace bifocal
