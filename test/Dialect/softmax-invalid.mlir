// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_group_does_not_divide(%x: tensor<2x6x8xf32>) {
  // expected-error@+1 {{'bifocal.softmax' op expects a group >= 1 that divides the channels of 'input', but got a group of 3 and 8 channels}}
  %r0 = bifocal.softmax %x {group = 3 : i64} : (tensor<2x6x8xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c1_group_of_zero(%x: tensor<2x6x8xf32>) {
  // expected-error@+1 {{'bifocal.softmax' op expects a group >= 1 that divides the channels of 'input', but got a group of 0 and 8 channels}}
  %r0 = bifocal.softmax %x {group = 0 : i64} : (tensor<2x6x8xf32>) -> tensor<2x6x8xf32>
  return
}
