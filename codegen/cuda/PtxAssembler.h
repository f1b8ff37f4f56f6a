// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CUDA_PTXASSEMBLER_H
#define BIFOCAL_CODEGEN_CUDA_PTXASSEMBLER_H

// From PTX to machine code. The assembler is NVIDIA's ptxas, a program of the CUDA Toolkit; what it says about a
// kernel's resources and what stands in its machine code is read back, so that tests can pin both where there is no
// GPU.

#include "codegen/cuda/CudaTarget.h"
#include "llvm/Support/Error.h"

#include <map>
#include <string>
#include <vector>

namespace bifocal {

/// Machine instructions of one kernel, counted in its code (not in its execution). Instructions that never run, which
/// ptxas places around asynchronous copies, do not count.
struct SassCounts {
  int total = 0;
  /// Products of matrices on tensor cores: HMMA, IMMA, HGMMA.
  int mma = 0;
  /// LDSM: fragments of matrices from shared memory.
  int ldmatrix = 0;
  /// LDGSTS: asynchronous copies from global to shared memory.
  int cpAsync = 0;
  /// CALL: mostly slow paths of divisions and square roots.
  int calls = 0;
  /// Loads and stores by opcode and width in bits, e.g. `LDG.128`, `STS.32`, `LDG.U16`; LDL and STL are local memory.
  std::map<std::string, int> accesses;
};

struct KernelResources {
  std::string name;
  /// Registers of 32 bits per thread.
  int registers = 0;
  /// Static shared memory per block; dynamic shared memory is a matter of the launch.
  int sharedBytes = 0;
  /// Bytes that registers are spilled to and filled from per thread, over all places in the code.
  int spillStores = 0, spillLoads = 0;
  /// Local memory per thread.
  int stackBytes = 0;
  SassCounts sass;
};

struct Cubin {
  /// An ELF file with machine code for one architecture.
  std::string bytes;
  /// One per kernel, by name.
  std::vector<KernelResources> kernels;
};

/// The path of ptxas: in the folder `bin` of $CUDA_HOME where that is set, else in PATH, else where it was when Bifocal
/// was built. An error says where it was looked for.
llvm::Expected<std::string> findPtxas();

/// Assembles `ptx`. An error has what ptxas says: about text that it does not take, and about products of matrices that
/// it had to serialise (its remarks C7510 and C7514), since those mean that a wait is missing.
llvm::Expected<Cubin> assemblePtx(llvm::StringRef ptx, const CudaTarget &target);

/// What `ptxas -v` printed, by kernel, without counts of instructions.
llvm::Expected<std::vector<KernelResources>> parsePtxasReport(llvm::StringRef report);

/// Counts the instructions of each of `kernels` in `cubin`. An error if one is not there or the file is damaged.
llvm::Error countSass(llvm::StringRef cubin, std::vector<KernelResources> &kernels);

} // namespace bifocal
#endif
