// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @types_differ(%x: tensor<2x6x8xf32>, %y: tensor<2x6x16xf32>) {
  // expected-error@+1 {{'bifocal.relu_grad' op requires the same type for all operands and results}}
  %z = "bifocal.relu_grad"(%x, %y) : (tensor<2x6x8xf32>, tensor<2x6x16xf32>) -> tensor<2x6x8xf32>
  return
}
