// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_PASSES_TD
#define BIFOCAL_CODEGEN_PASSES_TD
include "mlir/Pass/PassBase.td"

//--- Kernels for NVIDIA GPUs -------------------------------------------------------------------------------------

def VerifyCudaKernelsPass : Pass<"bifocal-verify-cuda-kernels", "::mlir::gpu::GPUModuleOp"> {
  let summary = "refuse what MLIR 19 would lower to a wrong or slow kernel";
  let description = [{
    MLIR 19 lowers some ops to kernels that assemble and compute something else, and others to slow paths that their
    writer did not mean. Each is an error that names what to write instead; a kernel gets all of its errors at once.

    Before the lowering:
    - a kernel has a name that PTX can spell and states its block size; without it ptxas plans for 1024 threads and 64
      registers. A limit of registers is `nvvm.maxnreg`, since ptxas ignores its own flag where the block size is known.
      Its arguments are scalars, pointers, and memrefs of static shape, of which it gets the pointer;
    - `nvgpu.warpgroup.mma` waits for its product (`waitGroup = 0`) where anything but another product reads the sum; the
      default is 1;
    - no `gpu.all_reduce`, which races with itself in a loop, and no `gpu.subgroup_reduce`, which has no lowering of f32;
    - no bf16 in `nvgpu.mma.sync` and `nvvm.mma.sync`, whose translation fails;
    - vectors in memory are aligned to their size, up to 16 bytes; else each element is an access;
    - workgroup buffers of elements of 16 bits or less have `llvm.align` of at least 16, else they are aligned to 2 bytes;
    - no `arith.divf`, `math.exp`, `math.tanh` and their like, which call slow paths whatever their fast-math flags.

    After it, with `lowered`:
    - nothing but the LLVM and NVVM dialects is left, and no op whose PTX text or operand the translation would drop, such
      as the source size of `nvvm.cp.async.shared.global`;
    - dynamic shared memory is external and aligned to 1024 bytes, see `bifocal-assign-dynamic-shared-memory`;
    - whatever is called is defined: libdevice is not linked;
    - no division and no function that the backend has no instruction for.
  }];
  let options = [
    Option<"lowered", "lowered", "bool", /*default=*/"false",
           "the kernels are in the LLVM and NVVM dialects, as the translation to LLVM IR reads them">,
  ];
}

def AssignDynamicSharedMemoryPass : Pass<"bifocal-assign-dynamic-shared-memory", "::mlir::gpu::GPUModuleOp"> {
  let summary = "let dynamic shared memory begin behind the static one";
  let description = [{
    `gpu.dynamic_shared_memory` becomes an internal array of no elements, which the backend prints as a variable of one
    byte: ptxas then places static buffers inside the dynamic memory. As an external array it is what PTX calls dynamic
    shared memory, and begins behind all that is static.

        llvm.mlir.global internal @__dynamic_shmem__0() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<0 x i8>
    becomes
        llvm.mlir.global external @__dynamic_shmem__0() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>

    The alignment is what tiles with swizzles of 128 bytes ask for. Left alone: arrays with a size.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

#endif
