// RUN: bifocal-opt %s --bifocal-verify-cuda-kernels=lowered | FileCheck %s

// The twins of verify-lowered-kernels-invalid.mlir.

gpu.module @m {
  // CHECK: llvm.mlir.global external @__dynamic_shmem__0
  llvm.mlir.global external @__dynamic_shmem__0() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>
  // A buffer with a size is static, and an empty array elsewhere is not shared.
  llvm.mlir.global internal @static() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<64 x i8>
  llvm.mlir.global internal @empty() {addr_space = 1 : i32} : !llvm.array<0 x i8>
  // Nobody calls it.
  llvm.func @__nv_logf(f32) -> f32
  llvm.func @twice(%x: f32) -> f32 {
    %0 = llvm.fadd %x, %x : f32
    llvm.return %0 : f32
  }
  // CHECK: llvm.func @kernel
  llvm.func @kernel(%dst: !llvm.ptr<3>, %src: !llvm.ptr<1>, %x: f32, %a: vector<2xf16>) attributes {nvvm.kernel, nvvm.maxntid = array<i32: 128, 1, 1>} {
    // Without a source size the op is an intrinsic.
    // CHECK: nvvm.cp.async.shared.global
    nvvm.cp.async.shared.global %dst, %src, 16, cache = cg : !llvm.ptr<3>, !llvm.ptr<1>
    // CHECK: llvm.call @twice
    %0 = llvm.call @twice(%x) : (f32) -> f32
    // CHECK: llvm.load
    %1 = llvm.load %src {alignment = 16 : i64} : !llvm.ptr<1> -> vector<8xbf16>
    // CHECK: nvvm.mma.sync
    %2 = nvvm.mma.sync A[%a, %a, %a, %a] B[%a, %a] C[%x, %x, %x, %x]
        {layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<col>, shape = #nvvm.shape<m = 16, n = 8, k = 16>}
        : (vector<2xf16>, vector<2xf16>, f32) -> !llvm.struct<(f32, f32, f32, f32)>
    llvm.return
  }
}
