// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_no_heads(%x: tensor<2x6x8xf32>, %taps: tensor<2x6x6xf32>) {
  // expected-error@+1 {{'bifocal.dynamic_conv' op expects heads >= 1, but got 0}}
  %y = bifocal.dynamic_conv %x, %taps {heads = 0 : i64, left_padding = 1 : i64} : (tensor<2x6x8xf32>, tensor<2x6x6xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c1_heads_do_not_divide(%x: tensor<2x6x8xf32>, %taps: tensor<2x6x6xf32>) {
  // expected-error@+1 {{'bifocal.dynamic_conv' op expects heads that divide the channels of 'input', but got 3 heads and 8 channels}}
  %y = bifocal.dynamic_conv %x, %taps {heads = 3 : i64, left_padding = 1 : i64} : (tensor<2x6x8xf32>, tensor<2x6x6xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c2_columns_are_no_multiple(%x: tensor<2x6x8xf32>, %taps: tensor<2x6x7xf32>) {
  // expected-error@+1 {{'bifocal.dynamic_conv' op expects H * K taps per position with K >= 1, but got 7 taps and 2 heads}}
  %y = bifocal.dynamic_conv %x, %taps {heads = 2 : i64, left_padding = 1 : i64} : (tensor<2x6x8xf32>, tensor<2x6x7xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c3_other_steps(%x: tensor<2x6x8xf32>, %taps: tensor<2x5x6xf32>) {
  // expected-error@+1 {{'bifocal.dynamic_conv' op expects 'taps' of shape 2x6x6 (one row per row of 'input'), but got 2x5x6}}
  %y = bifocal.dynamic_conv %x, %taps {heads = 2 : i64, left_padding = 1 : i64} : (tensor<2x6x8xf32>, tensor<2x5x6xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c4_padding_too_wide(%x: tensor<2x6x8xf32>, %taps: tensor<2x6x6xf32>) {
  // expected-error@+1 {{'bifocal.dynamic_conv' op expects a left padding in [0, K), but got 3 and K = 3}}
  %y = bifocal.dynamic_conv %x, %taps {heads = 2 : i64, left_padding = 3 : i64} : (tensor<2x6x8xf32>, tensor<2x6x6xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c5_bias_too_short(%x: tensor<2x6x8xf32>, %taps: tensor<2x6x6xf32>, %b: tensor<7xf32>) {
  // expected-error@+1 {{'bifocal.dynamic_conv' op expects 'bias' of shape 8 (the channels of 'input'), but got 7}}
  %y = bifocal.dynamic_conv %x, %taps bias %b {heads = 2 : i64, left_padding = 1 : i64} : (tensor<2x6x8xf32>, tensor<2x6x6xf32>, tensor<7xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c6_rate_without_rng(%x: tensor<2x6x8xf32>, %taps: tensor<2x6x6xf32>) {
  // expected-error@+1 {{'bifocal.dynamic_conv' op expects 'rng' where the drop rate is above 0, but got a rate of 5.000000e-01 and no 'rng'}}
  %y = bifocal.dynamic_conv %x, %taps {drop_rate = 0.5 : f32, heads = 2 : i64, left_padding = 1 : i64} : (tensor<2x6x8xf32>, tensor<2x6x6xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c7_renormalized_alone(%x: tensor<2x6x8xf32>, %taps: tensor<2x6x6xf32>) {
  // expected-error@+1 {{'bifocal.dynamic_conv' op expects 'normalized' beside 'renormalized'}}
  %y = bifocal.dynamic_conv %x, %taps renormalized {heads = 2 : i64, left_padding = 1 : i64} : (tensor<2x6x8xf32>, tensor<2x6x6xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c7_compat_alone(%x: tensor<2x6x8xf32>, %taps: tensor<2x6x6xf32>) {
  // expected-error@+1 {{'bifocal.dynamic_conv' op expects 'normalized' beside 'compat'}}
  %y = bifocal.dynamic_conv %x, %taps compat {heads = 2 : i64, left_padding = 1 : i64} : (tensor<2x6x8xf32>, tensor<2x6x6xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c7_both(%x: tensor<2x6x8xf32>, %taps: tensor<2x6x6xf32>) {
  // expected-error@+1 {{'bifocal.dynamic_conv' op expects at most one of 'renormalized' and 'compat', but got both}}
  %y = bifocal.dynamic_conv %x, %taps normalized renormalized compat {heads = 2 : i64, left_padding = 1 : i64} : (tensor<2x6x8xf32>, tensor<2x6x6xf32>) -> tensor<2x6x8xf32>
  return
}
