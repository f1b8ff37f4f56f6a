// RUN: bifocal-opt %s --split-input-file --verify-diagnostics --bifocal-verify-cuda-kernels=lowered

// What the translation to LLVM IR, the backend or ptxas would take and compile into something else.

gpu.module @m {
  // expected-error@+1 {{would overlap static shared memory: expects dynamic shared memory to be external, as bifocal-assign-dynamic-shared-memory makes it, but it is internal}}
  llvm.mlir.global internal @__dynamic_shmem__0() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<0 x i8>
  // expected-error@+1 {{expects dynamic shared memory to be aligned to 1024 bytes, but got 16}}
  llvm.mlir.global external @__dynamic_shmem__1() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<0 x i8>
}

// -----

gpu.module @m {
  llvm.func @source_size(%dst: !llvm.ptr<3>, %src: !llvm.ptr<1>, %bytes: i32) {
    // expected-error@+1 {{would lose its source size and copy all bytes; expects to be inline assembly, as convert-nvvm-to-llvm writes it}}
    nvvm.cp.async.shared.global %dst, %src, 16, cache = cg, %bytes : !llvm.ptr<3>, !llvm.ptr<1>, i32
    llvm.return
  }
}

// -----

gpu.module @m {
  llvm.func @ptx_text() {
    // expected-error@+1 {{has PTX text and no intrinsic; expects to be inline assembly, as convert-nvvm-to-llvm writes it}}
    nvvm.fence.mbarrier.init
    llvm.return
  }
}

// -----

gpu.module @m {
  llvm.func @__nv_logf(f32) -> f32
  llvm.func @log(%x: f32) -> f32 {
    // expected-error@+1 {{calls '__nv_logf' of libdevice, which is not linked; write the op with intrinsics llvm.nvvm.*}}
    %0 = llvm.call @__nv_logf(%x) : (f32) -> f32
    llvm.return %0 : f32
  }
}

// -----

gpu.module @m {
  llvm.func @vprintf(!llvm.ptr, !llvm.ptr) -> i32
  llvm.func @prints(%p: !llvm.ptr) {
    // expected-error@+1 {{calls 'vprintf', which is not defined: kernels call only what they define}}
    %0 = llvm.call @vprintf(%p, %p) : (!llvm.ptr, !llvm.ptr) -> i32
    llvm.return
  }
}

// -----

gpu.module @m {
  llvm.func @math(%x: f32) {
    // expected-error@+1 {{is a slow path or has no instruction on GPUs; write nvvm.rcp.approx.ftz.f}}
    %0 = llvm.fdiv %x, %x : f32
    // expected-error@+1 {{write "llvm.nvvm.ex2.approx.ftz.f" of the argument times log2(e)}}
    %1 = llvm.intr.exp(%x) : (f32) -> f32
    llvm.return
  }
}

// -----

gpu.module @m {
  llvm.func @vectors(%p: !llvm.ptr<1>) {
    // expected-error@+1 {{expects an alignment of 16 for 'vector<8xbf16>', but got 2}}
    %0 = llvm.load %p {alignment = 2 : i64} : !llvm.ptr<1> -> vector<8xbf16>
    llvm.return
  }
}

// -----

gpu.module @m {
  llvm.func @other_dialects(%x: f32) -> f32 {
    // expected-error@+1 {{has no lowering to the LLVM and NVVM dialects}}
    %0 = arith.addf %x, %x : f32
    llvm.return %0 : f32
  }
}

// -----

gpu.module @m {
  // expected-error@+1 {{expects known_block_size}}
  llvm.func @block_of_unknown_size() attributes {nvvm.kernel} {
    llvm.return
  }
}

// -----

gpu.module @m {
  llvm.func @products(%a: vector<2xf16>, %c: f32) {
    // expected-error@+1 {{has no translation for bf16}}
    %0 = nvvm.mma.sync A[%a, %a, %a, %a] B[%a, %a] C[%c, %c, %c, %c]
        {layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<col>, shape = #nvvm.shape<m = 16, n = 8, k = 16>,
         multiplicandAPtxType = #nvvm.mma_type<bf16>, multiplicandBPtxType = #nvvm.mma_type<bf16>}
        : (vector<2xf16>, vector<2xf16>, f32) -> !llvm.struct<(f32, f32, f32, f32)>
    llvm.return
  }
}
