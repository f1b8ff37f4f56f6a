// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Remarks.h"
#include "mlir/IR/Location.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace bifocal {

std::string describeLocation(Location location) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (auto place = location->findInstanceOf<FileLineColLoc>())
    stream << place.getFilename().getValue() << ':' << place.getLine() << ':' << place.getColumn();
  else
    stream << location;
  return text;
}

std::string describeOp(Operation *op) {
  return ("'" + op->getName().getStringRef() + "' at " + describeLocation(op->getLoc())).str();
}

Operation *otherReader(Value value, ArrayRef<Operation *> known) {
  Operation *first = nullptr;
  for (Operation *user : value.getUsers())
    if (!llvm::is_contained(known, user) && (!first || user->isBeforeInBlock(first)))
      first = user;
  return first;
}

} // namespace bifocal
