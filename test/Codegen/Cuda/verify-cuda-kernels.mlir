// RUN: bifocal-opt %s --bifocal-verify-cuda-kernels | FileCheck %s

// The twins of verify-cuda-kernels-invalid.mlir: what its messages say to write.

!a = !nvgpu.warpgroup.descriptor<tensor = memref<64x16xbf16, #gpu.address_space<workgroup>>>
!b = !nvgpu.warpgroup.descriptor<tensor = memref<16x64xbf16, #gpu.address_space<workgroup>>>
!sum = !nvgpu.warpgroup.accumulator<fragmented = vector<64x64xf32>>

gpu.module @m {
  // A whole block has the registers for 128 a thread, and a buffer of f32 is aligned as its accesses are.
  // CHECK-LABEL: gpu.func @norm_0
  gpu.func @norm_0()
      workgroup(%narrow : memref<16x24xbf16, #gpu.address_space<workgroup>> {llvm.align = 16 : i64},
                %wide : memref<16xf32, #gpu.address_space<workgroup>>)
      kernel attributes {known_block_size = array<i32: 32, 16, 1>, nvvm.maxnreg = 128 : i32} {
    gpu.return
  }

  // A function that is no kernel has no block.
  // CHECK-LABEL: gpu.func @helper
  gpu.func @helper() {
    gpu.return
  }

  // CHECK-LABEL: gpu.func @last_product_waits_for_all
  gpu.func @last_product_waits_for_all(%a: !a, %b: !b, %c: memref<64x64xf32, 1>) {
    %zero = nvgpu.warpgroup.mma.init.accumulator -> !sum
    %first = nvgpu.warpgroup.mma %a, %b, %zero {transposeB} : !a, !b, !sum -> !sum
    // CHECK: waitGroup = 0 : i32
    %last = nvgpu.warpgroup.mma %a, %b, %first {transposeB, waitGroup = 0 : i32} : !a, !b, !sum -> !sum
    nvgpu.warpgroup.mma.store %last, %c : !sum to memref<64x64xf32, 1>
    gpu.return
  }

  // CHECK-LABEL: gpu.func @products
  gpu.func @products(%a: i32, %c: f32, %v: vector<4x2xf16>, %w: vector<2x2xf16>, %s: vector<2x2xf32>) {
    %0 = llvm.call_intrinsic "llvm.nvvm.mma.m16n8k16.row.col.bf16"(%a, %a, %a, %a, %a, %a, %c, %c, %c, %c)
        : (i32, i32, i32, i32, i32, i32, f32, f32, f32, f32) -> !llvm.struct<(f32, f32, f32, f32)>
    // f16 has a translation.
    // CHECK: nvgpu.mma.sync
    %1 = nvgpu.mma.sync(%v, %w, %s) {mmaShape = [16, 8, 16]} : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
    gpu.return
  }

  // CHECK-LABEL: gpu.func @vectors
  gpu.func @vectors(%x: memref<8xvector<8xbf16>, 1>, %y: memref<64xbf16, 1>, %i: index, %p: !llvm.ptr<1>) {
    // CHECK: vector.load
    %0 = vector.load %x[%i] : memref<8xvector<8xbf16>, 1>, vector<8xbf16>
    // One element is one access.
    // CHECK: vector.load
    %1 = vector.load %y[%i] : memref<64xbf16, 1>, vector<1xbf16>
    // Two accesses of 16 bytes.
    // CHECK: llvm.load
    %2 = llvm.load %p {alignment = 16 : i64} : !llvm.ptr<1> -> vector<8xf32>
    // CHECK: llvm.load
    %3 = llvm.load %p : !llvm.ptr<1> -> vector<8xbf16>
    // CHECK: llvm.load
    %4 = llvm.load %p {alignment = 2 : i64} : !llvm.ptr<1> -> bf16
    gpu.return
  }

  // CHECK-LABEL: gpu.func @math
  gpu.func @math(%x: f32) {
    // CHECK: math.fma
    %0 = math.fma %x, %x, %x : f32
    // CHECK: llvm.nvvm.ex2.approx.ftz.f
    %1 = llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f"(%0) : (f32) -> f32
    // CHECK: llvm.nvvm.div.rn.f
    %2 = llvm.call_intrinsic "llvm.nvvm.div.rn.f"(%1, %x) : (f32, f32) -> f32
    // CHECK: gpu.shuffle
    %one = arith.constant 1 : i32
    %width = arith.constant 32 : i32
    %3, %valid = gpu.shuffle xor %2, %one, %width : f32
    gpu.return
  }
}
