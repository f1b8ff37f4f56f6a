// RUN: bifocal-opt %s --split-input-file --verify-diagnostics --bifocal-generate-cuda-kernels | FileCheck %s

// One warp for each tile: 32 lanes side by side, a tail that is cut off, no shared memory.

// CHECK: gpu.module @cuda
// CHECK: gpu.func @scale_0(%[[X:.*]]: !llvm.ptr<1>, %[[Y:.*]]: !llvm.ptr<1>, %[[ROWS:.*]]: i64, %[[TILES:.*]]: i64) kernel
// CHECK-SAME: bifocal.buffers = array<i64: 0, 1>
// CHECK-SAME: bifocal.shared_bytes = 0 : i64
// CHECK-SAME: bifocal.sizes = array<i64: 0>
// CHECK-SAME: bifocal.warps = 4 : i64
// CHECK-SAME: known_block_size = array<i32: 128, 1, 1>
// CHECK: %[[THERE:.*]] = arith.cmpi slt, %{{.*}}, %[[TILES]] : i64
// CHECK: scf.if %[[THERE]]
// CHECK-NOT: vector
// CHECK: llvm.load %{{.*}} : !llvm.ptr<1> -> f32
// CHECK: gpu.return
plan.kernel @scale "relu" stages 1 {
^bb0(%x: tensor<?x40xf32>):
  %y = bifocal.relu %x : tensor<?x40xf32>
  plan.return %y : tensor<?x40xf32>
}

// -----

// A sum over a row: five exchanges between threads. One thread of a warp stores what all of them have.

// CHECK: gpu.func @soft_0
// CHECK-COUNT-5: gpu.shuffle idx
// CHECK: gpu.return
plan.kernel @soft "softmax" stages 1 {
^bb0(%x: tensor<?x64xf32>):
  %y = bifocal.softmax %x {group = 64 : i64} : (tensor<?x64xf32>) -> tensor<?x64xf32>
  plan.return %y : tensor<?x64xf32>
}

// -----

// An array of the stack is shared memory of the warp, whose threads wait before they read what others wrote.

// CHECK: llvm.mlir.global external @bifocal_shared() {addr_space = 3 : i32{{.*}}} : !llvm.array<0 x i8>
// CHECK: gpu.func @filter_0
// CHECK: llvm.mlir.addressof @bifocal_shared
// CHECK: llvm.store %{{.*}} : f32, !llvm.ptr<3>
// CHECK: nvvm.bar.warp.sync
// CHECK: llvm.load %{{.*}} : !llvm.ptr<3> -> f32
plan.kernel @filter "light_conv" stages 1 {
^bb0(%x: tensor<?x?x64xf32>, %w: tensor<2x1x3xf32>):
  %y = bifocal.light_conv %x, %w {left_padding = 1 : i64} : (tensor<?x?x64xf32>, tensor<2x1x3xf32>) -> tensor<?x?x64xf32>
  plan.return %y : tensor<?x?x64xf32>
}

// -----

// From two taps on inputs of 16 bits meet their taps on tensor cores. A band of nine taps has two pieces of 16 columns,
// and a tap is two factors: four products for each of four groups of eight channels.

// Inputs come to shared memory by asynchronous copies, for which the warp waits before it reads any of them.

// CHECK: gpu.func @narrow_filter_0
// CHECK: llvm.call_intrinsic "llvm.nvvm.cp.async.cg.shared.global.16.s"
// CHECK-NOT: nvvm.ldmatrix
// CHECK: nvvm.cp.async.commit.group
// CHECK-NEXT: nvvm.cp.async.wait.group 0
// CHECK-NOT: nvvm.ldmatrix
// CHECK: nvvm.bar.warp.sync
// CHECK: nvvm.ldmatrix %{{.*}} {layout = #nvvm.mma_layout<col>, num = 4 : i32}
// CHECK-COUNT-16: llvm.call_intrinsic "llvm.nvvm.mma.m16n8k16.row.col.bf16"
// CHECK-NOT: llvm.nvvm.mma
// CHECK: gpu.return
plan.kernel @narrow_filter "light_conv" stages 1 {
^bb0(%x: tensor<?x?x64xbf16>, %w: tensor<2x1x9xf32>):
  %y = bifocal.light_conv %x, %w {left_padding = 8 : i64} : (tensor<?x?x64xbf16>, tensor<2x1x9xf32>) -> tensor<?x?x64xbf16>
  plan.return %y : tensor<?x?x64xbf16>
}

// -----

// A single tap is not worth a product.

// CHECK: gpu.func @short_filter_0
// CHECK-NOT: mma
// CHECK: gpu.return
plan.kernel @short_filter "light_conv" stages 1 {
^bb0(%x: tensor<?x?x64xbf16>, %w: tensor<2x1x1xf32>):
  %y = bifocal.light_conv %x, %w {left_padding = 0 : i64} : (tensor<?x?x64xbf16>, tensor<2x1x1xf32>) -> tensor<?x?x64xbf16>
  plan.return %y : tensor<?x?x64xbf16>
}

// -----

// Scores and sums of values are products; maxima and sums of rows go around the four threads of a row.

// CHECK: gpu.func @attend_0
// CHECK: llvm.call_intrinsic "llvm.nvvm.mma.m16n8k16.row.col.f32.f32"
// CHECK: gpu.shuffle xor
// CHECK: nvvm.ldmatrix %{{.*}} {layout = #nvvm.mma_layout<col>, num = 4 : i32}
// CHECK: llvm.call_intrinsic "llvm.nvvm.mma.m16n8k16.row.col.f32.f32"
plan.kernel @attend "attention" stages 1 {
^bb0(%q: tensor<?x?x64xf16>, %k: tensor<?x?x64xf16>, %v: tensor<?x?x64xf16>):
  %y, %l = bifocal.attention %q, %k, %v causal {heads = 2 : i64, scale = 0.25 : f32} : (tensor<?x?x64xf16>, tensor<?x?x64xf16>, tensor<?x?x64xf16>) -> (tensor<?x?x64xf16>, tensor<?x2x?xf32>)
  plan.return %y, %l : tensor<?x?x64xf16>, tensor<?x2x?xf32>
}

// -----

plan.kernel @long_filter "light_conv" stages 1 {
^bb0(%x: tensor<?x?x8xf32>, %w: tensor<2x1x300000xf32>):
  // expected-error@+1 {{bytes of}}
  %y = bifocal.light_conv %x, %w {left_padding = 0 : i64} : (tensor<?x?x8xf32>, tensor<2x1x300000xf32>) -> tensor<?x?x8xf32>
  plan.return %y : tensor<?x?x8xf32>
}
