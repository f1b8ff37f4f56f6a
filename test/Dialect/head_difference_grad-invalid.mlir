// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_heads_do_not_divide(%g: tensor<2x6x4xf32>, %x: tensor<2x6x8xf32>, %l: tensor<2x6x3xf32>) {
  // expected-error@+1 {{'bifocal.head_difference_grad' op expects twice the channels of 'gate' to divide those of 'input', but got 3 and 8 channels}}
  %dx, %dl = bifocal.head_difference_grad %g, %x, %l : (tensor<2x6x4xf32>, tensor<2x6x8xf32>, tensor<2x6x3xf32>) -> (tensor<2x6x8xf32>, tensor<2x6x3xf32>)
  return
}

// -----

func.func @c2_output_grad_of_all_channels(%x: tensor<2x6x8xf32>, %l: tensor<2x6x2xf32>) {
  // expected-error@+1 {{'bifocal.head_difference_grad' op expects 'output_grad' of shape 2x6x4 (rows of 'input', half its channels), but got 2x6x8}}
  %dx, %dl = bifocal.head_difference_grad %x, %x, %l : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x6x2xf32>) -> (tensor<2x6x8xf32>, tensor<2x6x2xf32>)
  return
}

// -----

func.func @c3_input_grad_of_half(%g: tensor<2x6x4xf32>, %x: tensor<2x6x8xf32>, %l: tensor<2x6x2xf32>) {
  // expected-error@+1 {{'bifocal.head_difference_grad' op expects 'input_grad' of shape 2x6x8 (the shape of 'input'), but got 2x6x4}}
  %dx, %dl = bifocal.head_difference_grad %g, %x, %l : (tensor<2x6x4xf32>, tensor<2x6x8xf32>, tensor<2x6x2xf32>) -> (tensor<2x6x4xf32>, tensor<2x6x2xf32>)
  return
}

// -----

func.func @c3_gate_grad_of_half(%g: tensor<2x6x4xf32>, %x: tensor<2x6x8xf32>, %l: tensor<2x6x2xf32>) {
  // expected-error@+1 {{'bifocal.head_difference_grad' op expects 'gate_grad' of shape 2x6x2 (the shape of 'gate'), but got 2x6x4}}
  %dx, %dl = bifocal.head_difference_grad %g, %x, %l : (tensor<2x6x4xf32>, tensor<2x6x8xf32>, tensor<2x6x2xf32>) -> (tensor<2x6x8xf32>, tensor<2x6x4xf32>)
  return
}
