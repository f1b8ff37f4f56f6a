// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_group_does_not_divide(%x: tensor<2x6x8xf32>) {
  // expected-error@+1 {{'bifocal.rms_norm' op expects a group >= 1 that divides the channels of 'input', but got a group of 3 and 8 channels}}
  %y = bifocal.rms_norm %x {group = 3 : i64} : (tensor<2x6x8xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c1_channels_are_dynamic(%x: tensor<2x?xf32>) {
  // expected-error@+1 {{'bifocal.rms_norm' op expects a static number of channels of 'input', but got ?}}
  %y = bifocal.rms_norm %x : (tensor<2x?xf32>) -> tensor<2x?xf32>
  return
}

// -----

func.func @c2_weight_of_all_channels(%x: tensor<2x6x8xf32>, %w: tensor<8xf32>) {
  // expected-error@+1 {{'bifocal.rms_norm' op expects 'weight' of shape 4 (the channels of a group), but got 8}}
  %y = bifocal.rms_norm %x, %w {group = 4 : i64} : (tensor<2x6x8xf32>, tensor<8xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c3_epsilon_of_zero(%x: tensor<2x6x8xf32>) {
  // expected-error@+1 {{'bifocal.rms_norm' op expects epsilon > 0, but got 0.000000e+00}}
  %y = bifocal.rms_norm %x {epsilon = 0.0 : f32} : (tensor<2x6x8xf32>) -> tensor<2x6x8xf32>
  return
}
