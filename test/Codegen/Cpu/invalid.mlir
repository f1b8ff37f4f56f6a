// RUN: bifocal-opt %s --split-input-file --verify-diagnostics --bifocal-generate-cpu-kernels=levels=x86-64-v4

plan.kernel @product "gemm" stages 1 {
^bb0(%x: tensor<?x8xf32>, %w: tensor<4x8xf32>):
  // expected-error@+1 {{has no CPU kernel}}
  %y = bifocal.linear %x, %w : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  plan.return %y : tensor<?x4xf32>
}

// -----

plan.kernel @half "relu" stages 1 {
^bb0(%x: tensor<?x8xbf16>):
  // expected-error@+1 {{expects f32 on CPUs, but got 'bf16'}}
  %y = bifocal.relu %x : tensor<?x8xbf16>
  plan.return %y : tensor<?x8xbf16>
}
