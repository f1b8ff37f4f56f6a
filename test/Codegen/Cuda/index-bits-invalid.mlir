// RUN: bifocal-opt %s --verify-diagnostics --bifocal-lower-cuda-kernels=index-bits=32

// The lowering of nvgpu ops knows no index but of 64 bits.
gpu.module @m {
  gpu.func @copies(%x: memref<64xbf16, 1>, %count: index)
      workgroup(%tile : memref<64xbf16, #gpu.address_space<workgroup>> {llvm.align = 16 : i64})
      kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    // expected-error@+3 {{the lowering cannot make 'i64' from 'index'; memrefs that kernels take have a static shape, and with an index of 32 bits nvgpu ops take none}}
    // expected-error@+2 {{the lowering cannot make '!llvm.struct<(ptr<1>}}
    // expected-error@+1 {{the lowering cannot make '!llvm.struct<(ptr<3>}}
    %copy = nvgpu.device_async_copy %x[%count], %tile[%count], 8, %count {bypassL1}
        : memref<64xbf16, 1> to memref<64xbf16, #gpu.address_space<workgroup>>
    gpu.return
  }
}
