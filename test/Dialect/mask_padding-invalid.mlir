// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_mask_of_other_steps(%x: tensor<2x6x8xf32>, %m: tensor<2x5xi1>) {
  // expected-error@+1 {{'bifocal.mask_padding' op expects 'mask' of shape 2x6 (the rows of 'input'), but got 2x5}}
  %r0 = bifocal.mask_padding %x, %m : (tensor<2x6x8xf32>, tensor<2x5xi1>) -> tensor<2x6x8xf32>
  return
}
