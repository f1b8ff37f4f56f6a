// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_group_does_not_divide(%g: tensor<2x6x8xf32>, %y: tensor<2x6x8xf32>) {
  // expected-error@+1 {{'bifocal.softmax_grad' op expects a group >= 1 that divides the channels of 'output', but got a group of 3 and 8 channels}}
  %r0 = bifocal.softmax_grad %g, %y {group = 3 : i64} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>) -> tensor<2x6x8xf32>
  return
}
