// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_taps_have_a_second_axis(%x: tensor<2x6x8xf32>, %taps: tensor<2x2x3xf32>) {
  // expected-error@+1 {{'bifocal.light_conv' op expects 'taps' of shape 2x1x3 (heads, 1, kernel size), but got 2x2x3}}
  %y = bifocal.light_conv %x, %taps {left_padding = 1 : i64} : (tensor<2x6x8xf32>, tensor<2x2x3xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c2_no_taps(%x: tensor<2x6x8xf32>, %taps: tensor<2x1x0xf32>) {
  // expected-error@+1 {{'bifocal.light_conv' op expects a kernel size K >= 1, but got 0}}
  %y = bifocal.light_conv %x, %taps {left_padding = 0 : i64} : (tensor<2x6x8xf32>, tensor<2x1x0xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c3_no_heads(%x: tensor<2x6x8xf32>, %taps: tensor<0x1x3xf32>) {
  // expected-error@+1 {{'bifocal.light_conv' op expects heads >= 1, but got 0}}
  %y = bifocal.light_conv %x, %taps {left_padding = 1 : i64} : (tensor<2x6x8xf32>, tensor<0x1x3xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c3_heads_do_not_divide(%x: tensor<2x6x8xf32>, %taps: tensor<3x1x3xf32>) {
  // expected-error@+1 {{'bifocal.light_conv' op expects heads that divide the channels of 'input', but got 3 heads and 8 channels}}
  %y = bifocal.light_conv %x, %taps {left_padding = 1 : i64} : (tensor<2x6x8xf32>, tensor<3x1x3xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c4_padding_too_wide(%x: tensor<2x6x8xf32>, %taps: tensor<2x1x3xf32>) {
  // expected-error@+1 {{'bifocal.light_conv' op expects a left padding in [0, K), but got 3 and K = 3}}
  %y = bifocal.light_conv %x, %taps {left_padding = 3 : i64} : (tensor<2x6x8xf32>, tensor<2x1x3xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c4_padding_negative(%x: tensor<2x6x8xf32>, %taps: tensor<2x1x3xf32>) {
  // expected-error@+1 {{'bifocal.light_conv' op expects a left padding in [0, K), but got -1 and K = 3}}
  %y = bifocal.light_conv %x, %taps {left_padding = -1 : i64} : (tensor<2x6x8xf32>, tensor<2x1x3xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c5_bias_too_short(%x: tensor<2x6x8xf32>, %taps: tensor<2x1x3xf32>, %b: tensor<7xf32>) {
  // expected-error@+1 {{'bifocal.light_conv' op expects 'bias' of shape 8 (the channels of 'input'), but got 7}}
  %y = bifocal.light_conv %x, %taps bias %b {left_padding = 1 : i64} : (tensor<2x6x8xf32>, tensor<2x1x3xf32>, tensor<7xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c6_rate_of_one(%x: tensor<2x6x8xf32>, %taps: tensor<2x1x3xf32>, %rng: tensor<2xi64>) {
  // expected-error@+1 {{'bifocal.light_conv' op expects a drop rate in [0, 1), but got 1.000000e+00}}
  %y = bifocal.light_conv %x, %taps rng %rng {drop_rate = 1.0 : f32, left_padding = 1 : i64} : (tensor<2x6x8xf32>, tensor<2x1x3xf32>, tensor<2xi64>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c6_rate_without_rng(%x: tensor<2x6x8xf32>, %taps: tensor<2x1x3xf32>) {
  // expected-error@+1 {{'bifocal.light_conv' op expects 'rng' where the drop rate is above 0, but got a rate of 5.000000e-01 and no 'rng'}}
  %y = bifocal.light_conv %x, %taps {drop_rate = 0.5 : f32, left_padding = 1 : i64} : (tensor<2x6x8xf32>, tensor<2x1x3xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c3_dynamic_channels(%x: tensor<2x6x?xf32>, %taps: tensor<2x1x3xf32>) {
  // expected-error@+1 {{'bifocal.light_conv' op expects a static number of channels of 'input', but got ?}}
  %y = bifocal.light_conv %x, %taps {left_padding = 1 : i64} : (tensor<2x6x?xf32>, tensor<2x1x3xf32>) -> tensor<2x6x?xf32>
  return
}
