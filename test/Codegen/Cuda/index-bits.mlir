// RUN: bifocal-opt %s --bifocal-lower-cuda-kernels | FileCheck %s --check-prefix=INDEX64
// RUN: bifocal-opt %s --bifocal-lower-cuda-kernels=index-bits=32 | FileCheck %s --check-prefix=INDEX32

// Products of indices take 32 bits where that is asked for.

// INDEX64-LABEL: gpu.module @n
// INDEX64:         llvm.mul {{.*}} : i64
// INDEX32-LABEL: gpu.module @n
// INDEX32-NOT:     llvm.mul {{.*}} : i64
// INDEX32:         llvm.mul {{.*}} : i32
gpu.module @n {
  gpu.func @position(%y: !llvm.ptr<1>) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    %thread = gpu.thread_id x
    %block = gpu.block_id x
    %product = arith.muli %thread, %block : index
    %position = arith.index_cast %product : index to i32
    llvm.store %position, %y : i32, !llvm.ptr<1>
    gpu.return
  }
}
