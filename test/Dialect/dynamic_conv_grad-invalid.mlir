// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_no_heads(%g: tensor<2x6x8xf32>, %x: tensor<2x6x8xf32>, %taps: tensor<2x6x6xf32>) {
  // expected-error@+1 {{'bifocal.dynamic_conv_grad' op expects heads >= 1, but got 0}}
  %dx, %dt = bifocal.dynamic_conv_grad %g, %x, %taps {heads = 0 : i64, left_padding = 1 : i64} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x6x6xf32>) -> (tensor<2x6x8xf32>, tensor<2x6x6xf32>)
  return
}

// -----

func.func @c1_heads_do_not_divide(%g: tensor<2x6x8xf32>, %x: tensor<2x6x8xf32>, %taps: tensor<2x6x6xf32>) {
  // expected-error@+1 {{'bifocal.dynamic_conv_grad' op expects heads that divide the channels of 'input', but got 3 heads and 8 channels}}
  %dx, %dt = bifocal.dynamic_conv_grad %g, %x, %taps {heads = 3 : i64, left_padding = 1 : i64} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x6x6xf32>) -> (tensor<2x6x8xf32>, tensor<2x6x6xf32>)
  return
}

// -----

func.func @c2_columns_are_no_multiple(%g: tensor<2x6x8xf32>, %x: tensor<2x6x8xf32>, %taps: tensor<2x6x7xf32>) {
  // expected-error@+1 {{'bifocal.dynamic_conv_grad' op expects H * K taps per position with K >= 1, but got 7 taps and 2 heads}}
  %dx, %dt = bifocal.dynamic_conv_grad %g, %x, %taps {heads = 2 : i64, left_padding = 1 : i64} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x6x7xf32>) -> (tensor<2x6x8xf32>, tensor<2x6x7xf32>)
  return
}

// -----

func.func @c3_other_steps(%g: tensor<2x6x8xf32>, %x: tensor<2x6x8xf32>, %taps: tensor<2x5x6xf32>) {
  // expected-error@+1 {{'bifocal.dynamic_conv_grad' op expects 'taps' of shape 2x6x6 (one row per row of 'input'), but got 2x5x6}}
  %dx, %dt = bifocal.dynamic_conv_grad %g, %x, %taps {heads = 2 : i64, left_padding = 1 : i64} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x5x6xf32>) -> (tensor<2x6x8xf32>, tensor<2x5x6xf32>)
  return
}

// -----

func.func @c4_padding_too_wide(%g: tensor<2x6x8xf32>, %x: tensor<2x6x8xf32>, %taps: tensor<2x6x6xf32>) {
  // expected-error@+1 {{'bifocal.dynamic_conv_grad' op expects a left padding in [0, K), but got 3 and K = 3}}
  %dx, %dt = bifocal.dynamic_conv_grad %g, %x, %taps {heads = 2 : i64, left_padding = 3 : i64} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x6x6xf32>) -> (tensor<2x6x8xf32>, tensor<2x6x6xf32>)
  return
}

// -----

func.func @c5_rate_without_rng(%g: tensor<2x6x8xf32>, %x: tensor<2x6x8xf32>, %taps: tensor<2x6x6xf32>) {
  // expected-error@+1 {{'bifocal.dynamic_conv_grad' op expects 'rng' where the drop rate is above 0, but got a rate of 5.000000e-01 and no 'rng'}}
  %dx, %dt = bifocal.dynamic_conv_grad %g, %x, %taps {drop_rate = 0.5 : f32, heads = 2 : i64, left_padding = 1 : i64} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x6x6xf32>) -> (tensor<2x6x8xf32>, tensor<2x6x6xf32>)
  return
}

// -----

func.func @c6_renormalized_alone(%g: tensor<2x6x8xf32>, %x: tensor<2x6x8xf32>, %taps: tensor<2x6x6xf32>) {
  // expected-error@+1 {{'bifocal.dynamic_conv_grad' op expects 'normalized' beside 'renormalized'}}
  %dx, %dt = bifocal.dynamic_conv_grad %g, %x, %taps renormalized {heads = 2 : i64, left_padding = 1 : i64} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x6x6xf32>) -> (tensor<2x6x8xf32>, tensor<2x6x6xf32>)
  return
}

// -----

func.func @c6_compat_alone(%g: tensor<2x6x8xf32>, %x: tensor<2x6x8xf32>, %taps: tensor<2x6x6xf32>) {
  // expected-error@+1 {{'bifocal.dynamic_conv_grad' op expects 'normalized' beside 'compat'}}
  %dx, %dt = bifocal.dynamic_conv_grad %g, %x, %taps compat {heads = 2 : i64, left_padding = 1 : i64} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x6x6xf32>) -> (tensor<2x6x8xf32>, tensor<2x6x6xf32>)
  return
}

// -----

func.func @c6_both(%g: tensor<2x6x8xf32>, %x: tensor<2x6x8xf32>, %taps: tensor<2x6x6xf32>) {
  // expected-error@+1 {{'bifocal.dynamic_conv_grad' op expects at most one of 'renormalized' and 'compat', but got both}}
  %dx, %dt = bifocal.dynamic_conv_grad %g, %x, %taps normalized renormalized compat {heads = 2 : i64, left_padding = 1 : i64} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x6x6xf32>) -> (tensor<2x6x8xf32>, tensor<2x6x6xf32>)
  return
}
