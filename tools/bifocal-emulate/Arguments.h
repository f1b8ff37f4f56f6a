// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCALEMULATE_ARGUMENTS_H
#define BIFOCAL_TOOLS_BIFOCALEMULATE_ARGUMENTS_H

// What a kernel is given on the command line.

#include "codegen/emulator/CheckedMemory.h"
#include "runtime/core/Status.h"

#include <string>
#include <string_view>
#include <vector>

namespace bifocal::tools {

/// Elements of buffers and scalars.
struct ElementType {
  std::string_view name;
  size_t bytes;
};

/// One parameter of a kernel: `name=type[count]:fill` is a buffer, `name=type:value` a scalar.
struct Argument {
  std::string name;
  ElementType type;
  /// Of a buffer; its content when a launch begins. Empty bytes of a buffer mean undefined content.
  bool isBuffer = false;
  size_t count = 1;
  std::vector<char> content;

  size_t bytes() const { return count * type.bytes; }
};

/// Reads the text of an argument. Fills are `zeros`, `ones`, `iota`, `random` (standard normal, the same in every run;
/// integers below 256) and `undefined`, which is the default.
Result<Argument> parseArgument(std::string_view text);

/// The elements of a buffer as numbers, one line.
std::string printElements(const Argument &argument, const char *memory);

} // namespace bifocal::tools
#endif
