// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_scale_too_short(%x: tensor<2x6x8xf32>, %s: tensor<7xf32>, %b: tensor<8xf32>) {
  // expected-error@+1 {{'bifocal.layer_norm' op expects 'scale' of shape 8 (the channels of 'input'), but got 7}}
  %r0, %r1, %r2 = bifocal.layer_norm %x, %s, %b : (tensor<2x6x8xf32>, tensor<7xf32>, tensor<8xf32>) -> (tensor<2x6x8xf32>, tensor<2x6xf32>, tensor<2x6xf32>)
  return
}

// -----

func.func @c1_bias_too_short(%x: tensor<2x6x8xf32>, %s: tensor<8xf32>, %b: tensor<7xf32>) {
  // expected-error@+1 {{'bifocal.layer_norm' op expects 'bias' of shape 8 (the channels of 'input'), but got 7}}
  %r0, %r1, %r2 = bifocal.layer_norm %x, %s, %b : (tensor<2x6x8xf32>, tensor<8xf32>, tensor<7xf32>) -> (tensor<2x6x8xf32>, tensor<2x6xf32>, tensor<2x6xf32>)
  return
}

// -----

func.func @c2_mean_with_channels(%x: tensor<2x6x8xf32>, %s: tensor<8xf32>, %b: tensor<8xf32>) {
  // expected-error@+1 {{'bifocal.layer_norm' op expects 'mean' of shape 2x6 (the rows of 'input'), but got 2x6x8}}
  %r0, %r1, %r2 = bifocal.layer_norm %x, %s, %b : (tensor<2x6x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x6xf32>)
  return
}

// -----

func.func @c2_rstd_of_other_steps(%x: tensor<2x6x8xf32>, %s: tensor<8xf32>, %b: tensor<8xf32>) {
  // expected-error@+1 {{'bifocal.layer_norm' op expects 'rstd' of shape 2x6 (the rows of 'input'), but got 2x5}}
  %r0, %r1, %r2 = bifocal.layer_norm %x, %s, %b : (tensor<2x6x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<2x6x8xf32>, tensor<2x6xf32>, tensor<2x5xf32>)
  return
}

// -----

func.func @c3_epsilon_of_zero(%x: tensor<2x6x8xf32>, %s: tensor<8xf32>, %b: tensor<8xf32>) {
  // expected-error@+1 {{'bifocal.layer_norm' op expects epsilon > 0, but got 0.000000e+00}}
  %r0, %r1, %r2 = bifocal.layer_norm %x, %s, %b {epsilon = 0.0 : f32} : (tensor<2x6x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<2x6x8xf32>, tensor<2x6xf32>, tensor<2x6xf32>)
  return
}
