// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_input_of_other_rows(%g: tensor<2x6x16xf32>, %x: tensor<2x5x8xf32>) {
  // expected-error@+1 {{'bifocal.linear_weight_grad' op expects 'input' of shape 2x6x8 (the rows of 'output_grad'), but got 2x5x8}}
  %r0 = bifocal.linear_weight_grad %g, %x : (tensor<2x6x16xf32>, tensor<2x5x8xf32>) -> tensor<16x8xf32>
  return
}

// -----

func.func @c2_transposed_result(%g: tensor<2x6x16xf32>, %x: tensor<2x6x8xf32>) {
  // expected-error@+1 {{'bifocal.linear_weight_grad' op expects 'weight_grad' of shape 16x8 (channels of 'output_grad', channels of 'input'), but got 8x16}}
  %r0 = bifocal.linear_weight_grad %g, %x : (tensor<2x6x16xf32>, tensor<2x6x8xf32>) -> tensor<8x16xf32>
  return
}

// -----

func.func @c3_mask_of_other_rows(%g: tensor<2x6x16xf32>, %x: tensor<2x6x8xf32>, %m: tensor<2x7xi1>) {
  // expected-error@+1 {{'bifocal.linear_weight_grad' op expects 'mask' of shape 2x6 (the rows of 'output_grad'), but got 2x7}}
  %r0 = bifocal.linear_weight_grad %g, %x mask %m : (tensor<2x6x16xf32>, tensor<2x6x8xf32>, tensor<2x7xi1>) -> tensor<16x8xf32>
  return
}
