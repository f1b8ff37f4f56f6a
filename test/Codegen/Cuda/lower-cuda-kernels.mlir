// RUN: bifocal-opt %s --bifocal-lower-cuda-kernels | FileCheck %s

// From the gpu dialect to what the translation to LLVM IR reads.

// CHECK-LABEL: gpu.module @m
gpu.module @m {
  // Dynamic shared memory is external, a static buffer keeps the alignment that was asked for.
  // CHECK-DAG: llvm.mlir.global external @__dynamic_shmem__0() {addr_space = 3 : i32, alignment = 1024 : i64{{.*}}} : !llvm.array<0 x i8>
  // CHECK-DAG: llvm.mlir.global internal @__wg_copies_0() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<64 x bf16>

  // A memref of static shape is its pointer. The size of the source survives, as an operand of the assembly.
  // CHECK-LABEL: llvm.func @copies(
  // CHECK-SAME:    !llvm.ptr<1>
  // CHECK-SAME:    nvvm.kernel, nvvm.maxntid = array<i32: 32, 1, 1>
  // CHECK:         llvm.inline_asm {{.*}}"cp.async.cg.shared.global [$0], [$1], $2, $3;
  // CHECK:         nvvm.cp.async.commit.group
  // CHECK:         nvvm.cp.async.wait.group 0
  // CHECK-NOT:     unrealized_conversion_cast
  gpu.func @copies(%x: memref<64xbf16, 1>, %count: index)
      workgroup(%tile : memref<64xbf16, #gpu.address_space<workgroup>> {llvm.align = 16 : i64})
      kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %c0 = arith.constant 0 : index
    %copy = nvgpu.device_async_copy %x[%c0], %tile[%c0], 8, %count {bypassL1}
        : memref<64xbf16, 1> to memref<64xbf16, #gpu.address_space<workgroup>>
    %group = nvgpu.device_async_create_group %copy
    nvgpu.device_async_wait %group {numGroups = 0 : i32}
    %bytes = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
    %zero = arith.constant 0 : i8
    memref.store %zero, %bytes[%c0] : memref<?xi8, #gpu.address_space<workgroup>>
    gpu.return
  }
}
