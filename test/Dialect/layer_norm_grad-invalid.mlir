// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_output_grad_of_other_steps(%g: tensor<2x5x8xf32>, %x: tensor<2x6x8xf32>, %s: tensor<8xf32>, %m: tensor<2x6xf32>, %r: tensor<2x6xf32>) {
  // expected-error@+1 {{'bifocal.layer_norm_grad' op expects 'output_grad' of shape 2x6x8 (the shape of 'input'), but got 2x5x8}}
  %r0, %r1, %r2 = bifocal.layer_norm_grad %g, %x, %s, %m, %r : (tensor<2x5x8xf32>, tensor<2x6x8xf32>, tensor<8xf32>, tensor<2x6xf32>, tensor<2x6xf32>) -> (tensor<2x6x8xf32>, tensor<8xf32>, tensor<8xf32>)
  return
}

// -----

func.func @c1_input_grad_of_other_steps(%g: tensor<2x6x8xf32>, %x: tensor<2x6x8xf32>, %s: tensor<8xf32>, %m: tensor<2x6xf32>, %r: tensor<2x6xf32>) {
  // expected-error@+1 {{'bifocal.layer_norm_grad' op expects 'input_grad' of shape 2x6x8 (the shape of 'input'), but got 2x5x8}}
  %r0, %r1, %r2 = bifocal.layer_norm_grad %g, %x, %s, %m, %r : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<8xf32>, tensor<2x6xf32>, tensor<2x6xf32>) -> (tensor<2x5x8xf32>, tensor<8xf32>, tensor<8xf32>)
  return
}

// -----

func.func @c2_scale_too_short(%g: tensor<2x6x8xf32>, %x: tensor<2x6x8xf32>, %s: tensor<7xf32>, %m: tensor<2x6xf32>, %r: tensor<2x6xf32>) {
  // expected-error@+1 {{'bifocal.layer_norm_grad' op expects 'scale' of shape 8 (the channels of 'input'), but got 7}}
  %r0, %r1, %r2 = bifocal.layer_norm_grad %g, %x, %s, %m, %r : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<7xf32>, tensor<2x6xf32>, tensor<2x6xf32>) -> (tensor<2x6x8xf32>, tensor<8xf32>, tensor<8xf32>)
  return
}

// -----

func.func @c2_scale_grad_too_short(%g: tensor<2x6x8xf32>, %x: tensor<2x6x8xf32>, %s: tensor<8xf32>, %m: tensor<2x6xf32>, %r: tensor<2x6xf32>) {
  // expected-error@+1 {{'bifocal.layer_norm_grad' op expects 'scale_grad' of shape 8 (the channels of 'input'), but got 7}}
  %r0, %r1, %r2 = bifocal.layer_norm_grad %g, %x, %s, %m, %r : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<8xf32>, tensor<2x6xf32>, tensor<2x6xf32>) -> (tensor<2x6x8xf32>, tensor<7xf32>, tensor<8xf32>)
  return
}

// -----

func.func @c2_bias_grad_too_short(%g: tensor<2x6x8xf32>, %x: tensor<2x6x8xf32>, %s: tensor<8xf32>, %m: tensor<2x6xf32>, %r: tensor<2x6xf32>) {
  // expected-error@+1 {{'bifocal.layer_norm_grad' op expects 'bias_grad' of shape 8 (the channels of 'input'), but got 7}}
  %r0, %r1, %r2 = bifocal.layer_norm_grad %g, %x, %s, %m, %r : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<8xf32>, tensor<2x6xf32>, tensor<2x6xf32>) -> (tensor<2x6x8xf32>, tensor<8xf32>, tensor<7xf32>)
  return
}

// -----

func.func @c3_mean_of_other_steps(%g: tensor<2x6x8xf32>, %x: tensor<2x6x8xf32>, %s: tensor<8xf32>, %m: tensor<2x5xf32>, %r: tensor<2x6xf32>) {
  // expected-error@+1 {{'bifocal.layer_norm_grad' op expects 'mean' of shape 2x6 (the rows of 'input'), but got 2x5}}
  %r0, %r1, %r2 = bifocal.layer_norm_grad %g, %x, %s, %m, %r : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<8xf32>, tensor<2x5xf32>, tensor<2x6xf32>) -> (tensor<2x6x8xf32>, tensor<8xf32>, tensor<8xf32>)
  return
}

// -----

func.func @c3_rstd_of_other_steps(%g: tensor<2x6x8xf32>, %x: tensor<2x6x8xf32>, %s: tensor<8xf32>, %m: tensor<2x6xf32>, %r: tensor<2x5xf32>) {
  // expected-error@+1 {{'bifocal.layer_norm_grad' op expects 'rstd' of shape 2x6 (the rows of 'input'), but got 2x5}}
  %r0, %r1, %r2 = bifocal.layer_norm_grad %g, %x, %s, %m, %r : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<8xf32>, tensor<2x6xf32>, tensor<2x5xf32>) -> (tensor<2x6x8xf32>, tensor<8xf32>, tensor<8xf32>)
  return
}
