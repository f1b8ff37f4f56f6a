// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Counts machine instructions in a cubin, without a disassembler: from sm_70 on an instruction is 16 bytes, of which
// the first 9 bits are its opcode.
#include "codegen/cuda/PtxAssembler.h"

#include "codegen/cuda/CudaError.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Object/ELF.h"
#include "llvm/Support/Endian.h"

using llvm::StringRef, llvm::Twine;

namespace bifocal {

static constexpr size_t instructionBytes = 16;

static StringRef matrixProduct(unsigned opcode) {
  switch (opcode) {
  case 0x037:
    return "IMMA";
  case 0x03c:
    return "HMMA";
  case 0x1f0:
    return "HGMMA";
  default:
    return "";
  }
}

static StringRef memoryAccess(unsigned opcode) {
  switch (opcode) {
  case 0x180:
    return "LD";
  case 0x181:
    return "LDG";
  case 0x183:
    return "LDL";
  case 0x184:
    return "LDS";
  case 0x185:
    return "ST";
  case 0x186:
    return "STG";
  case 0x187:
    return "STL";
  case 0x188:
    return "STS";
  default:
    return "";
  }
}

static StringRef accessWidth(uint64_t high) {
  static constexpr llvm::StringLiteral widths[] = {"U8", "S8", "U16", "S16", "32", "64", "128", "?"};
  return widths[high >> 9 & 7];
}

static void count(uint64_t low, uint64_t high, SassCounts &counts) {
  constexpr unsigned noOperation = 0x118, ldmatrix = 0x03b, cpAsync = 0x1ae, callAbsolute = 0x143, callRelative = 0x144;
  const unsigned opcode = low & 0x1ff;
  // Guarded by @!PT, the negation of the predicate that always holds.
  const bool never = (low >> 12 & 0xf) == 0xf;
  if (opcode == noOperation || never)
    return;
  ++counts.total;
  counts.mma += !matrixProduct(opcode).empty();
  counts.ldmatrix += opcode == ldmatrix;
  counts.cpAsync += opcode == cpAsync;
  counts.calls += opcode == callAbsolute || opcode == callRelative;
  if (StringRef access = memoryAccess(opcode); !access.empty())
    ++counts.accesses[(access + "." + accessWidth(high)).str()];
}

/// The code of each kernel by name.
static llvm::Expected<llvm::StringMap<llvm::ArrayRef<uint8_t>>> readCode(StringRef cubin) {
  llvm::StringMap<llvm::ArrayRef<uint8_t>> code;
  auto file = llvm::object::ELF64LEFile::create(cubin);
  if (!file)
    return file.takeError();
  auto sections = file->sections();
  if (!sections)
    return sections.takeError();
  for (const auto &section : *sections) {
    auto name = file->getSectionName(section);
    if (!name)
      return name.takeError();
    if (!name->consume_front(".text."))
      continue;
    auto contents = file->getSectionContents(section);
    if (!contents)
      return contents.takeError();
    code[*name] = *contents;
  }
  return code;
}

llvm::Error countSass(StringRef cubin, std::vector<KernelResources> &kernels) {
  auto code = readCode(cubin);
  if (!code)
    return code.takeError();
  for (KernelResources &kernel : kernels) {
    auto found = code->find(kernel.name);
    if (found == code->end())
      return makeCudaError(std::errc::invalid_argument,
                           "expects code of the kernel '" + Twine(kernel.name) + "' in the cubin");
    llvm::ArrayRef<uint8_t> bytes = found->second;
    if (bytes.empty() || bytes.size() % instructionBytes != 0)
      return makeCudaError(std::errc::invalid_argument, "expects instructions of 16 bytes, but the code of '" +
                                                            Twine(kernel.name) + "' has " + Twine(bytes.size()));
    kernel.sass = {};
    for (; !bytes.empty(); bytes = bytes.drop_front(instructionBytes))
      count(llvm::support::endian::read64le(bytes.data()), llvm::support::endian::read64le(bytes.data() + 8),
            kernel.sass);
  }
  return llvm::Error::success();
}

} // namespace bifocal
