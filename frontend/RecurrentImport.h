// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_FRONTEND_RECURRENTIMPORT_H
#define BIFOCAL_FRONTEND_RECURRENTIMPORT_H

#include "frontend/Spec.h"
#include "mlir/IR/Builders.h"

namespace bifocal {

/// The memory of a layer as an argument of entries: its name, and the symbol of its steps.
struct MemoryArgument {
  llvm::StringRef name, steps;
};
std::vector<MemoryArgument> memoryArguments(const Spec &spec, mlir::Builder &builder);

/// The caches of keys and values of decoding, by layer.
std::vector<std::string> recurrentCaches(const Spec &spec);
/// What Transformer-XL knows of the distances of cached steps, by layer; none with adaptive spans.
std::vector<std::string> distanceStates(const Spec &spec);

/// What an entry returns, with its names.
struct NamedResults {
  llvm::SmallVector<llvm::StringRef> names;
  llvm::SmallVector<mlir::Value> values; ///< those of `names`, then the spans of the layers, if any

  /// Puts the inputs of the layers between them.
  void addStates(llvm::ArrayRef<mlir::Value> states, mlir::Builder &builder);
};

/// What the runtime has to know to keep the memory of earlier segments.
mlir::DictionaryAttr memoryAttribute(const Spec &spec, mlir::Builder &builder);

} // namespace bifocal
#endif
