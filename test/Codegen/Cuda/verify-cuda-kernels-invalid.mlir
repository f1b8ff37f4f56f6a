// RUN: bifocal-opt %s --split-input-file --verify-diagnostics --bifocal-verify-cuda-kernels

gpu.module @m {
  // expected-error@+1 {{expects a name of letters, digits, '_' and '$', which PTX can spell, but got 'norm.0'}}
  gpu.func @"norm.0"() kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    gpu.return
  }
}

// -----

gpu.module @m {
  // expected-error@+1 {{expects known_block_size = array<i32: x, y, z>: without it ptxas plans for 1024 threads, which leaves each 64 registers}}
  gpu.func @block_of_unknown_size() kernel {
    gpu.return
  }
}

// -----

gpu.module @m {
  // expected-error@+1 {{expects a block of 1 to 1024 threads, but got 2048}}
  gpu.func @large_block() kernel attributes {known_block_size = array<i32: 64, 32, 1>} {
    gpu.return
  }
}

// -----

// 512 threads share 65536 registers.
gpu.module @m {
  // expected-error@+1 {{expects nvvm.maxnreg as an i32 of 1 to 128, the registers of a thread when 512 share a block, but got 168 : i32}}
  gpu.func @many_registers() kernel attributes {known_block_size = array<i32: 512, 1, 1>, nvvm.maxnreg = 168 : i32} {
    gpu.return
  }
}

// -----

gpu.module @m {
  // expected-error@+1 {{expects nvvm.maxnreg as an i32 of 1 to 255, the registers of a thread when 32 share a block, but got 256 : i32}}
  gpu.func @more_registers_than_there_are() kernel attributes {known_block_size = array<i32: 32, 1, 1>, nvvm.maxnreg = 256 : i32} {
    gpu.return
  }
}

// -----

gpu.module @m {
  gpu.func @narrow_buffer()
      // expected-error@+1 {{expects {llvm.align = 16 : i64} at the workgroup buffer 0 of '@narrow_buffer', 'memref<16x24xbf16, #gpu.address_space<workgroup>>', but it is aligned to 2, as its elements are, and ldmatrix and copies of 16 bytes fault}}
      workgroup(%narrow : memref<16x24xbf16, #gpu.address_space<workgroup>>, %wide : memref<16xf32, #gpu.address_space<workgroup>>)
      kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    gpu.return
  }
}

// -----

gpu.module @m {
  gpu.func @small_alignment()
      // expected-error@+1 {{but it is aligned to 8 and ldmatrix and copies of 16 bytes fault}}
      workgroup(%narrow : memref<64xi8, #gpu.address_space<workgroup>> {llvm.align = 8 : i64})
      kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    gpu.return
  }
}

// -----

!a = !nvgpu.warpgroup.descriptor<tensor = memref<64x16xbf16, #gpu.address_space<workgroup>>>
!b = !nvgpu.warpgroup.descriptor<tensor = memref<16x64xbf16, #gpu.address_space<workgroup>>>
!sum = !nvgpu.warpgroup.accumulator<fragmented = vector<64x64xf32>>
gpu.module @m {
  gpu.func @last_product_waits_for_all_but_one(%a: !a, %b: !b, %c: memref<64x64xf32, 1>) {
    %zero = nvgpu.warpgroup.mma.init.accumulator -> !sum
    // Of this sum only the next product knows.
    %first = nvgpu.warpgroup.mma %a, %b, %zero {transposeB} : !a, !b, !sum -> !sum
    // expected-error@+1 {{expects {waitGroup = 0 : i32} where 'nvgpu.warpgroup.mma.store' reads the sum, but 1 group of products may still be in flight}}
    %last = nvgpu.warpgroup.mma %a, %b, %first {transposeB} : !a, !b, !sum -> !sum
    nvgpu.warpgroup.mma.store %last, %c : !sum to memref<64x64xf32, 1>
    gpu.return
  }
}

// -----

gpu.module @m {
  gpu.func @reductions(%x: f32) -> f32 {
    // expected-error@+1 {{races with itself in a loop, since it reuses its buffer without a barrier; write gpu.shuffle xor within a warp}}
    %block = gpu.all_reduce add %x {} : (f32) -> f32
    // expected-error@+1 {{has no lowering for f32; write gpu.shuffle xor, one per power of two}}
    %warp = gpu.subgroup_reduce add %block : (f32) -> f32
    gpu.return %warp : f32
  }
}

// -----

gpu.module @m {
  gpu.func @products_of_bf16(%a: vector<4x2xbf16>, %b: vector<2x2xbf16>, %c: vector<2x2xf32>) -> vector<2x2xf32> {
    // expected-error@+1 {{has no translation for bf16; write llvm.call_intrinsic "llvm.nvvm.mma.m16n8k16.row.col.bf16" with 4 + 2 i32, each a pair of bf16, and 4 f32}}
    %d = nvgpu.mma.sync(%a, %b, %c) {mmaShape = [16, 8, 16]} : (vector<4x2xbf16>, vector<2x2xbf16>, vector<2x2xf32>) -> vector<2x2xf32>
    gpu.return %d : vector<2x2xf32>
  }
}

// -----

gpu.module @m {
  gpu.func @vectors_of_scalar_memory(%x: memref<64xbf16, 1>, %i: index) {
    // expected-error@+1 {{is aligned to its elements of 2 bytes and becomes one access for each; write memref.load and memref.store on a memref of 'vector<8xbf16>', or llvm.load and llvm.store {alignment = 16}}}
    %v = vector.load %x[%i] : memref<64xbf16, 1>, vector<8xbf16>
    // expected-error@+1 {{is aligned to its elements of 2 bytes}}
    vector.store %v, %x[%i] : memref<64xbf16, 1>, vector<8xbf16>
    gpu.return
  }
}

// -----

gpu.module @m {
  gpu.func @vectors_of_small_alignment(%p: !llvm.ptr<1>) {
    // expected-error@+1 {{expects an alignment of 16 for 'vector<8xbf16>', but got 2, with which each element is an access of its own}}
    %v = llvm.load %p {alignment = 2 : i64} : !llvm.ptr<1> -> vector<8xbf16>
    // expected-error@+1 {{expects an alignment of 16 for 'vector<8xbf16>', but got 8}}
    llvm.store %v, %p {alignment = 8 : i64} : vector<8xbf16>, !llvm.ptr<1>
    // expected-error@+1 {{expects an alignment of 4 for 'vector<2xf16>', but got 2}}
    %w = llvm.load %p {alignment = 2 : i64} : !llvm.ptr<1> -> vector<2xf16>
    gpu.return
  }
}

// -----

gpu.module @m {
  gpu.func @slow_math(%x: f32, %v: vector<4xf32>) {
    // expected-error@+1 {{is a slow path or has no instruction on GPUs; write nvvm.rcp.approx.ftz.f and a multiplication, or "llvm.nvvm.div.rn.f" where the quotient must be rounded}}
    %0 = arith.divf %x, %x fastmath<fast> : f32
    // expected-error@+1 {{is a slow path}}
    %1 = arith.divf %v, %v : vector<4xf32>
    // expected-error@+1 {{write "llvm.nvvm.ex2.approx.ftz.f" of the argument times log2(e)}}
    %2 = math.exp %x fastmath<fast> : f32
    // expected-error@+1 {{write 1 - 2 / (1 + exp(2x))}}
    %3 = math.tanh %x : f32
    // expected-error@+1 {{write "llvm.nvvm.sqrt.rn.f", or "llvm.nvvm.sqrt.approx.ftz.f"}}
    %4 = math.sqrt %x : f32
    // expected-error@+1 {{write "llvm.nvvm.rsqrt.approx.ftz.f"}}
    %5 = math.rsqrt %x : f32
    // expected-error@+1 {{of 'llvm.exp2.f32' is a slow path or has no instruction on GPUs; write "llvm.nvvm.ex2.approx.ftz.f"}}
    %6 = llvm.call_intrinsic "llvm.exp2.f32"(%x) : (f32) -> f32
    gpu.return
  }
}

// -----

gpu.module @m {
  // expected-error@+1 {{expects !llvm.ptr or a memref of static shape, of which a kernel gets the pointer, but argument 1 is 'memref<?xf32, 1>'}}
  gpu.func @sizes(%x: memref<4xf32, 1>, %y: memref<?xf32, 1>) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    gpu.return
  }
}
