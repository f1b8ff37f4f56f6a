// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/emulator/SharedVariables.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/ReplaceConstant.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;

namespace bifocal::emulator {

/// Bytes behind a variable that belong to nobody.
static constexpr size_t margin = 256;

/// Replaces `variable` in every function by the place `offset` of the running block's shared memory.
static void replaceUses(GlobalVariable &variable, size_t offset) {
  Module &module = *variable.getParent();
  IRBuilder<> builder(module.getContext());
  FunctionCallee place =
      module.getOrInsertFunction("bifocal_emulator_shared", builder.getPtrTy(), builder.getInt32Ty());
  DenseMap<Function *, Value *> places;
  for (Use &use : make_early_inc_range(variable.uses())) {
    auto *user = cast<Instruction>(use.getUser());
    Value *&known = places[user->getFunction()];
    if (!known) {
      BasicBlock &entry = user->getFunction()->getEntryBlock();
      builder.SetInsertPoint(&entry, entry.begin());
      known = builder.CreateAddrSpaceCast(builder.CreateCall(place, {builder.getInt32(static_cast<uint32_t>(offset))}),
                                          variable.getType());
    }
    use.set(known);
  }
}

Machine::SharedLayout placeSharedVariables(Module &module) {
  Machine::SharedLayout layout;
  SmallVector<GlobalVariable *> variables;
  SmallVector<Constant *> constants;
  for (GlobalVariable &variable : module.globals())
    if (variable.getAddressSpace() == sharedSpace) {
      variables.push_back(&variable);
      constants.push_back(&variable);
    }
  convertUsersOfConstantsToInstructions(constants);
  auto isDynamic = [&](const GlobalVariable &variable) {
    return module.getDataLayout().getTypeAllocSize(variable.getValueType()).isZero();
  };
  size_t end = 0;
  for (GlobalVariable *variable : variables) {
    if (isDynamic(*variable))
      continue;
    size_t bytes = module.getDataLayout().getTypeAllocSize(variable->getValueType());
    end = alignTo(end, variable->getAlign().valueOrOne());
    layout.variables.push_back({variable->getName().str(), end, bytes});
    replaceUses(*variable, end);
    end += bytes + margin;
  }
  layout.dynamicOffset = alignTo(end, 1024);
  for (GlobalVariable *variable : variables)
    if (isDynamic(*variable))
      replaceUses(*variable, layout.dynamicOffset);
  for (GlobalVariable *variable : variables)
    variable->eraseFromParent();
  return layout;
}

} // namespace bifocal::emulator
