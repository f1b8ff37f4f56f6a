// RUN: bifocal-opt %s --split-input-file --verify-diagnostics --bifocal-lower-cuda-kernels

// The lowering runs the checks of both stages, and says where it goes no further.

gpu.module @m {
  gpu.func @before(%x: f32) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    // expected-error@+1 {{races with itself in a loop}}
    %0 = gpu.all_reduce add %x {} : (f32) -> f32
    gpu.return
  }
}

// -----

// math.erf has no instruction and becomes a call of libdevice.
gpu.module @m {
  gpu.func @after(%x: f32, %y: !llvm.ptr<1>) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
    // expected-error@+1 {{calls '__nv_erff' of libdevice, which is not linked}}
    %0 = math.erf %x : f32
    llvm.store %0, %y : f32, !llvm.ptr<1>
    gpu.return
  }
}
