// y[b] = the sum of x[256 b .. 256 b + 255], f32, in a tree through shared memory. Arguments: x, y; one block of 256 threads per sum.
gpu.module @kernels {
  gpu.func @block_reduce(%x: !llvm.ptr<1>, %y: !llvm.ptr<1>)
      workgroup(%sums : memref<256xf32, #gpu.address_space<workgroup>>)
      kernel attributes {known_block_size = array<i32: 256, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c128 = arith.constant 128 : index
    %c256 = arith.constant 256 : index
    %thread = gpu.thread_id x
    %block = gpu.block_id x
    %begin = arith.muli %block, %c256 : index
    %index = arith.addi %begin, %thread : index
    %position = arith.index_cast %index : index to i64
    %place = llvm.getelementptr %x[%position] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, f32
    %value = llvm.load %place : !llvm.ptr<1> -> f32
    memref.store %value, %sums[%thread] : memref<256xf32, #gpu.address_space<workgroup>>
    gpu.barrier
    scf.while (%half = %c128) : (index) -> index {
      %more = arith.cmpi uge, %half, %c1 : index
      scf.condition(%more) %half : index
    } do {
    ^bb0(%half: index):
      %adds = arith.cmpi ult, %thread, %half : index
      scf.if %adds {
        %partner = arith.addi %thread, %half : index
        %mine = memref.load %sums[%thread] : memref<256xf32, #gpu.address_space<workgroup>>
        %other = memref.load %sums[%partner] : memref<256xf32, #gpu.address_space<workgroup>>
        %sum = arith.addf %mine, %other : f32
        memref.store %sum, %sums[%thread] : memref<256xf32, #gpu.address_space<workgroup>>
      }
      gpu.barrier
      %next = arith.divui %half, %c2 : index
      scf.yield %next : index
    }
    %first = arith.cmpi eq, %thread, %c0 : index
    scf.if %first {
      %sum = memref.load %sums[%c0] : memref<256xf32, #gpu.address_space<workgroup>>
      %blockNumber = arith.index_cast %block : index to i64
      %target = llvm.getelementptr %y[%blockNumber] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, f32
      llvm.store %sum, %target : f32, !llvm.ptr<1>
    }
    gpu.return
  }
}
