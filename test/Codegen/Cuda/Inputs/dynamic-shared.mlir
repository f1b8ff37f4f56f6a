// y = the numbers of x in reverse within each block of 128, f32, through dynamic shared memory of 512 bytes. A static buffer of one number
// beside it holds a factor that thread 0 writes: placed inside the dynamic memory it would overwrite a number. Arguments: x, y, the factor.
gpu.module @kernels {
  gpu.func @reverse_scaled(%x: !llvm.ptr<1>, %y: !llvm.ptr<1>, %factor: f32)
      workgroup(%shared : memref<1xf32, #gpu.address_space<workgroup>>)
      kernel attributes {known_block_size = array<i32: 128, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c127 = arith.constant 127 : index
    %c128 = arith.constant 128 : index
    %thread = gpu.thread_id x
    %block = gpu.block_id x
    %begin = arith.muli %block, %c128 : index
    %index = arith.addi %begin, %thread : index
    %position = arith.index_cast %index : index to i64
    %bytes = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
    %row = memref.view %bytes[%c0][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<128xf32, #gpu.address_space<workgroup>>
    %first = arith.cmpi eq, %thread, %c0 : index
    scf.if %first {
      memref.store %factor, %shared[%c0] : memref<1xf32, #gpu.address_space<workgroup>>
    }
    %place = llvm.getelementptr %x[%position] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, f32
    %value = llvm.load %place : !llvm.ptr<1> -> f32
    memref.store %value, %row[%thread] : memref<128xf32, #gpu.address_space<workgroup>>
    gpu.barrier
    %mirror = arith.subi %c127, %thread : index
    %other = memref.load %row[%mirror] : memref<128xf32, #gpu.address_space<workgroup>>
    %scale = memref.load %shared[%c0] : memref<1xf32, #gpu.address_space<workgroup>>
    %result = arith.mulf %other, %scale : f32
    %target = llvm.getelementptr %y[%position] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, f32
    llvm.store %result, %target : f32, !llvm.ptr<1>
    gpu.return
  }
}
