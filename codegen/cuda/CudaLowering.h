// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CUDA_CUDALOWERING_H
#define BIFOCAL_CODEGEN_CUDA_CUDALOWERING_H

// The way of kernels for NVIDIA GPUs: a `gpu.module` becomes LLVM IR, which the emulator executes as well, then PTX
// (here), then a cubin (codegen/cuda/PtxAssembler.h). What MLIR 19 would silently compile into something else is
// refused on the way, by `bifocal-verify-cuda-kernels` (codegen/Passes.td). Equal kernels give equal bytes at every
// step.

#include "codegen/cuda/CudaTarget.h"
#include "codegen/cuda/PtxAssembler.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <string>

namespace bifocal {

struct CudaLoweringOptions {
  /// Bits of `index`: 64 or 32. With 32, addresses within tensors of less than 2^31 elements cost one multiplication;
  /// but what nvgpu ops and vectors take as positions must then be i32 or constant.
  unsigned indexBits = 64;
};

/// The kernels as optimised LLVM IR for the NVPTX backend, which defines everything that it calls. `kernels` stays as
/// it is. Kernels take pointers (`!llvm.ptr`, or memrefs of static shape, of which only the pointer is passed) and
/// scalars. Every instruction has the place of its op, or else of its kernel, as debug location.
///
/// What is wrong with a kernel is reported as a diagnostic at the op; the error then says only that kernels are
/// refused.
llvm::Expected<std::unique_ptr<llvm::Module>> lowerCudaKernels(mlir::gpu::GPUModuleOp kernels, const CudaTarget &target,
                                                               llvm::LLVMContext &context,
                                                               const CudaLoweringOptions &options = {});

/// `module`, as `lowerCudaKernels` returns it, in the PTX of `target`. `module` stays as it is.
llvm::Expected<std::string> emitPtx(const llvm::Module &module, const CudaTarget &target);

/// `module` as LLVM bitcode, which the emulator loads.
std::string emitBitcode(const llvm::Module &module);

/// Adds the passes from the gpu to the LLVM and NVVM dialects to `manager`, which runs on `gpu.module` ops.
void addCudaLowering(mlir::OpPassManager &manager, const CudaLoweringOptions &options = {});

/// Makes all passes and the pipeline `bifocal-lower-cuda-kernels` known, e.g. to bifocal-opt.
void registerCudaCodegenPasses();

/// Adds the dialects that kernels are written in.
void registerCudaKernelDialects(mlir::DialectRegistry &registry);

} // namespace bifocal
#endif
