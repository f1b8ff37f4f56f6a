// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_group_does_not_divide(%x: tensor<2x6x8xf32>) {
  // expected-error@+1 {{'bifocal.rms_norm_grad' op expects a group >= 1 that divides the channels of 'input', but got a group of 3 and 8 channels}}
  %d = bifocal.rms_norm_grad %x, %x {group = 3 : i64} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c2_weight_too_short(%x: tensor<2x6x8xf32>, %w: tensor<7xf32>) {
  // expected-error@+1 {{'bifocal.rms_norm_grad' op expects 'weight' of shape 8 (the channels of a group), but got 7}}
  %d, %dw = bifocal.rms_norm_grad %x, %x, %w : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<7xf32>) -> (tensor<2x6x8xf32>, tensor<7xf32>)
  return
}

// -----

func.func @c3_epsilon_of_zero(%x: tensor<2x6x8xf32>) {
  // expected-error@+1 {{'bifocal.rms_norm_grad' op expects epsilon > 0, but got 0.000000e+00}}
  %d = bifocal.rms_norm_grad %x, %x {epsilon = 0.0 : f32} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c4_output_grad_of_other_steps(%g: tensor<2x5x8xf32>, %x: tensor<2x6x8xf32>) {
  // expected-error@+1 {{'bifocal.rms_norm_grad' op expects 'output_grad' of shape 2x6x8 (the shape of 'input'), but got 2x5x8}}
  %d = bifocal.rms_norm_grad %g, %x : (tensor<2x5x8xf32>, tensor<2x6x8xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c4_input_grad_of_other_steps(%x: tensor<2x6x8xf32>) {
  // expected-error@+1 {{'bifocal.rms_norm_grad' op expects 'input_grad' of shape 2x6x8 (the shape of 'input'), but got 2x5x8}}
  %d = bifocal.rms_norm_grad %x, %x : (tensor<2x6x8xf32>, tensor<2x6x8xf32>) -> tensor<2x5x8xf32>
  return
}

// -----

func.func @c5_weight_without_gradient(%x: tensor<2x6x8xf32>, %w: tensor<8xf32>) {
  // expected-error@+1 {{'bifocal.rms_norm_grad' op expects 'weight_grad' exactly where 'weight' is, but got only 'weight'}}
  %d = bifocal.rms_norm_grad %x, %x, %w : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<8xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c5_gradient_without_weight(%x: tensor<2x6x8xf32>) {
  // expected-error@+1 {{'bifocal.rms_norm_grad' op expects 'weight_grad' exactly where 'weight' is, but got only 'weight_grad'}}
  %d, %dw = bifocal.rms_norm_grad %x, %x : (tensor<2x6x8xf32>, tensor<2x6x8xf32>) -> (tensor<2x6x8xf32>, tensor<8xf32>)
  return
}

// -----

func.func @c5_gradient_too_short(%x: tensor<2x6x8xf32>, %w: tensor<8xf32>) {
  // expected-error@+1 {{'bifocal.rms_norm_grad' op expects 'weight_grad' of shape 8 (the shape of 'weight'), but got 7}}
  %d, %dw = bifocal.rms_norm_grad %x, %x, %w : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<8xf32>) -> (tensor<2x6x8xf32>, tensor<7xf32>)
  return
}
