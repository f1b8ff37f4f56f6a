// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_taps_have_a_second_axis(%g: tensor<2x6x8xf32>, %x: tensor<2x6x8xf32>, %taps: tensor<2x2x3xf32>) {
  // expected-error@+1 {{'bifocal.light_conv_grad' op expects 'taps' of shape 2x1x3 (heads, 1, kernel size), but got 2x2x3}}
  %dx, %dt = bifocal.light_conv_grad %g, %x, %taps {left_padding = 1 : i64} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x2x3xf32>) -> (tensor<2x6x8xf32>, tensor<2x2x3xf32>)
  return
}

// -----

func.func @c2_no_taps(%g: tensor<2x6x8xf32>, %x: tensor<2x6x8xf32>, %taps: tensor<2x1x0xf32>) {
  // expected-error@+1 {{'bifocal.light_conv_grad' op expects a kernel size K >= 1, but got 0}}
  %dx, %dt = bifocal.light_conv_grad %g, %x, %taps {left_padding = 0 : i64} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x1x0xf32>) -> (tensor<2x6x8xf32>, tensor<2x1x0xf32>)
  return
}

// -----

func.func @c3_heads_do_not_divide(%g: tensor<2x6x8xf32>, %x: tensor<2x6x8xf32>, %taps: tensor<3x1x3xf32>) {
  // expected-error@+1 {{'bifocal.light_conv_grad' op expects heads that divide the channels of 'input', but got 3 heads and 8 channels}}
  %dx, %dt = bifocal.light_conv_grad %g, %x, %taps {left_padding = 1 : i64} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<3x1x3xf32>) -> (tensor<2x6x8xf32>, tensor<3x1x3xf32>)
  return
}

// -----

func.func @c4_padding_too_wide(%g: tensor<2x6x8xf32>, %x: tensor<2x6x8xf32>, %taps: tensor<2x1x3xf32>) {
  // expected-error@+1 {{'bifocal.light_conv_grad' op expects a left padding in [0, K), but got 3 and K = 3}}
  %dx, %dt = bifocal.light_conv_grad %g, %x, %taps {left_padding = 3 : i64} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x1x3xf32>) -> (tensor<2x6x8xf32>, tensor<2x1x3xf32>)
  return
}

// -----

func.func @c5_rate_without_rng(%g: tensor<2x6x8xf32>, %x: tensor<2x6x8xf32>, %taps: tensor<2x1x3xf32>) {
  // expected-error@+1 {{'bifocal.light_conv_grad' op expects 'rng' where the drop rate is above 0, but got a rate of 5.000000e-01 and no 'rng'}}
  %dx, %dt = bifocal.light_conv_grad %g, %x, %taps {drop_rate = 0.5 : f32, left_padding = 1 : i64} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x1x3xf32>) -> (tensor<2x6x8xf32>, tensor<2x1x3xf32>)
  return
}
