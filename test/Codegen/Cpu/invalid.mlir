// RUN: bifocal-opt %s --split-input-file --verify-diagnostics --bifocal-generate-cpu-kernels=levels=x86-64-v4

plan.kernel @product "gemm" stages 1 {
^bb0(%x: tensor<?x8xf32>, %w: tensor<4x8xf32>):
  // expected-error@+1 {{has no CPU kernel}}
  %y = bifocal.linear %x, %w : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  plan.return %y : tensor<?x4xf32>
}

// -----

// Each row of a table's gradient is a sum that takes one write per token.
plan.kernel @narrow_table "embedding_grad" stages 2 {
^bb0(%ids: tensor<?xi32>, %g: tensor<?x8xbf16>):
  // expected-error@+1 {{expects a gradient of f32 for the table on CPUs, but got 'tensor<9x8xbf16>'}}
  %w = bifocal.embedding_grad %ids, %g : (tensor<?xi32>, tensor<?x8xbf16>) -> tensor<9x8xbf16>
  plan.return %w : tensor<9x8xbf16>
}

// -----

plan.kernel @long_filter "light_conv" stages 1 {
^bb0(%x: tensor<?x?x8xf32>, %w: tensor<2x1x300000xf32>):
  // expected-error@+1 {{expects at most 1048576 bytes of stack for a tile on x86-64-v4, but needs }}
  %y = bifocal.light_conv %x, %w {left_padding = 0 : i64} : (tensor<?x?x8xf32>, tensor<2x1x300000xf32>) -> tensor<?x?x8xf32>
  plan.return %y : tensor<?x?x8xf32>
}
