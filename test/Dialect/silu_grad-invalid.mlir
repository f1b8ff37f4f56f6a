// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @types_differ(%x: tensor<2x6x8xf32>) {
  // expected-error@+1 {{'bifocal.silu_grad' op requires the same type for all operands and results}}
  %y = "bifocal.silu_grad"(%x, %x) : (tensor<2x6x8xf32>, tensor<2x6x8xf32>) -> tensor<2x6x16xf32>
  return
}
