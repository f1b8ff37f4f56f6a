// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_weight_of_other_channels(%g: tensor<2x6x8xf32>, %w: tensor<16x8xf32>) {
  // expected-error@+1 {{'bifocal.linear_input_grad' op expects one row of 'weight' per channel of 'output_grad', but got 16 rows and 8 channels}}
  %r0 = bifocal.linear_input_grad %g, %w : (tensor<2x6x8xf32>, tensor<16x8xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c2_input_grad_of_other_rows(%g: tensor<2x6x16xf32>, %w: tensor<16x8xf32>) {
  // expected-error@+1 {{'bifocal.linear_input_grad' op expects 'input_grad' of shape 2x6x8 (rows of 'output_grad', columns of 'weight'), but got 2x5x8}}
  %r0 = bifocal.linear_input_grad %g, %w : (tensor<2x6x16xf32>, tensor<16x8xf32>) -> tensor<2x5x8xf32>
  return
}

// -----

func.func @c3_mask_of_other_rows(%g: tensor<2x6x16xf32>, %w: tensor<16x8xf32>, %m: tensor<6xi1>) {
  // expected-error@+1 {{'bifocal.linear_input_grad' op expects 'mask' of shape 2x6 (the rows of 'output_grad'), but got 6}}
  %r0 = bifocal.linear_input_grad %g, %w mask %m : (tensor<2x6x16xf32>, tensor<16x8xf32>, tensor<6xi1>) -> tensor<2x6x8xf32>
  return
}
