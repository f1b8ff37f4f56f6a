// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_bias_too_short(%x: tensor<2x6x8xf32>, %b: tensor<7xf32>) {
  // expected-error@+1 {{'bifocal.add_bias' op expects 'bias' of shape 8 (the channels of 'input'), but got 7}}
  %r0 = bifocal.add_bias %x, %b : (tensor<2x6x8xf32>, tensor<7xf32>) -> tensor<2x6x8xf32>
  return
}
