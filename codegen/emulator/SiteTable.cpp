// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/emulator/SiteTable.h"

#include "llvm/IR/AssemblyAnnotationWriter.h"
#include "llvm/IR/DebugInfoMetadata.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/Support/FormattedStream.h"

using namespace llvm;

namespace bifocal::emulator {
namespace {

/// Learns the line of every instruction while the module is printed.
struct LineRecorder : AssemblyAnnotationWriter {
  void emitInstructionAnnot(const Instruction *instruction, formatted_raw_ostream &stream) override {
    lines.push_back({instruction, stream.getLine() + 1});
  }
  std::vector<std::pair<const Instruction *, unsigned>> lines;
};

} // namespace

static std::string locationOf(const Instruction &instruction) {
  const DebugLoc &location = instruction.getDebugLoc();
  if (!location)
    return {};
  auto *scope = cast<DIScope>(location.getScope());
  return (scope->getFilename() + ":" + Twine(location.getLine()) + ":" + Twine(location.getCol())).str();
}

/// Calls, and what touches memory.
static bool isNamed(const Instruction &instruction) {
  return instruction.mayReadOrWriteMemory() || isa<CallInst>(instruction);
}

SiteTable::SiteTable(const Module &module) {
  LineRecorder recorder;
  raw_string_ostream stream(text);
  module.print(stream, &recorder);
  SmallVector<StringRef> lines;
  StringRef(text).split(lines, '\n');
  for (auto [instruction, line] : recorder.lines) {
    if (!isNamed(*instruction))
      continue;
    indices[instruction] = static_cast<uint32_t>(sites.size());
    StringRef written = line <= lines.size() ? lines[line - 1].trim() : "";
    sites.push_back({instruction->getFunction()->getName().str(), line, written.split(", !dbg").first.str(),
                     locationOf(*instruction)});
  }
}

} // namespace bifocal::emulator
