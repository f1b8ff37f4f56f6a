// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

bifocal.state @cache : tensor<3x?x8xf32> dims ["", "R", ""]
func.func @c1_taps_have_a_second_axis(%x: tensor<5x8xf32>, %taps: tensor<2x2x3xf32>, %a: tensor<5x4xi32>, %t: tensor<i32>) {
  // expected-error@+1 {{'bifocal.light_conv_step' op expects 'taps' of shape 2x1x3 (heads, 1, kernel size), but got 2x2x3}}
  %y = bifocal.light_conv_step %x, %taps cache @cache ancestors %a step %t : (tensor<5x8xf32>, tensor<2x2x3xf32>, tensor<5x4xi32>, tensor<i32>) -> tensor<5x8xf32>
  return
}

// -----

bifocal.state @cache : tensor<3x?x8xf32> dims ["", "R", ""]
func.func @c2_no_taps(%x: tensor<5x8xf32>, %taps: tensor<2x1x0xf32>, %a: tensor<5x4xi32>, %t: tensor<i32>) {
  // expected-error@+1 {{'bifocal.light_conv_step' op expects a kernel size K >= 1, but got 0}}
  %y = bifocal.light_conv_step %x, %taps cache @cache ancestors %a step %t : (tensor<5x8xf32>, tensor<2x1x0xf32>, tensor<5x4xi32>, tensor<i32>) -> tensor<5x8xf32>
  return
}

// -----

bifocal.state @cache : tensor<3x?x8xf32> dims ["", "R", ""]
func.func @c3_heads_do_not_divide(%x: tensor<5x8xf32>, %taps: tensor<3x1x3xf32>, %a: tensor<5x4xi32>, %t: tensor<i32>) {
  // expected-error@+1 {{'bifocal.light_conv_step' op expects heads that divide the channels of 'input', but got 3 heads and 8 channels}}
  %y = bifocal.light_conv_step %x, %taps cache @cache ancestors %a step %t : (tensor<5x8xf32>, tensor<3x1x3xf32>, tensor<5x4xi32>, tensor<i32>) -> tensor<5x8xf32>
  return
}

// -----

bifocal.state @cache : tensor<3x?x8xf32> dims ["", "R", ""]
func.func @c4_bias_too_short(%x: tensor<5x8xf32>, %taps: tensor<2x1x3xf32>, %b: tensor<7xf32>, %a: tensor<5x4xi32>, %t: tensor<i32>) {
  // expected-error@+1 {{'bifocal.light_conv_step' op expects 'bias' of shape 8 (the channels of 'input'), but got 7}}
  %y = bifocal.light_conv_step %x, %taps bias %b cache @cache ancestors %a step %t : (tensor<5x8xf32>, tensor<2x1x3xf32>, tensor<7xf32>, tensor<5x4xi32>, tensor<i32>) -> tensor<5x8xf32>
  return
}

// -----

bifocal.state @cache : tensor<3x?x8xf32> dims ["", "R", ""]
func.func @c5_ancestors_of_other_rows(%x: tensor<5x8xf32>, %taps: tensor<2x1x3xf32>, %a: tensor<4x4xi32>, %t: tensor<i32>) {
  // expected-error@+1 {{'bifocal.light_conv_step' op expects 'ancestors' of shape 5x? (one row per row of 'input'), but got 4x4}}
  %y = bifocal.light_conv_step %x, %taps cache @cache ancestors %a step %t : (tensor<5x8xf32>, tensor<2x1x3xf32>, tensor<4x4xi32>, tensor<i32>) -> tensor<5x8xf32>
  return
}

// -----

bifocal.state @cache : tensor<3x?x8xf32> dims ["", "R", ""]
func.func @c6_no_such_state(%x: tensor<5x8xf32>, %taps: tensor<2x1x3xf32>, %a: tensor<5x4xi32>, %t: tensor<i32>) {
  // expected-error@+1 {{'bifocal.light_conv_step' op expects the name of a 'bifocal.state', but there is none named 'other'}}
  %y = bifocal.light_conv_step %x, %taps cache @other ancestors %a step %t : (tensor<5x8xf32>, tensor<2x1x3xf32>, tensor<5x4xi32>, tensor<i32>) -> tensor<5x8xf32>
  return
}

// -----

bifocal.state @cache : tensor<4x?x8xf32> dims ["", "R", ""]
func.func @c6_cache_of_other_steps(%x: tensor<5x8xf32>, %taps: tensor<2x1x3xf32>, %a: tensor<5x4xi32>, %t: tensor<i32>) {
  // expected-error@+1 {{'bifocal.light_conv_step' op expects 'cache' to name a state of shape 3x?x8 (kernel size, rows, channels), but 'cache' has 4x?x8}}
  %y = bifocal.light_conv_step %x, %taps cache @cache ancestors %a step %t : (tensor<5x8xf32>, tensor<2x1x3xf32>, tensor<5x4xi32>, tensor<i32>) -> tensor<5x8xf32>
  return
}

// -----

bifocal.state @cache : tensor<3x?x8xbf16> dims ["", "R", ""]
func.func @c6_cache_of_other_type(%x: tensor<5x8xf32>, %taps: tensor<2x1x3xf32>, %a: tensor<5x4xi32>, %t: tensor<i32>) {
  // expected-error@+1 {{'bifocal.light_conv_step' op expects 'cache' to name a state of 'f32', but 'cache' holds 'bf16'}}
  %y = bifocal.light_conv_step %x, %taps cache @cache ancestors %a step %t : (tensor<5x8xf32>, tensor<2x1x3xf32>, tensor<5x4xi32>, tensor<i32>) -> tensor<5x8xf32>
  return
}
