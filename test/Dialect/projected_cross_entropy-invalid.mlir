// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_weight_of_other_channels(%x: tensor<2x6x8xf32>, %w: tensor<16x7xf32>, %t: tensor<2x6xi32>) {
  // expected-error@+1 {{'bifocal.projected_cross_entropy' op expects one column of 'weight' per channel of 'input', but got 7 columns and 8 channels}}
  %r0, %r1, %r2 = bifocal.projected_cross_entropy %x, %w, %t {ignore_index = 1 : i32, smoothing = 0.1 : f32} : (tensor<2x6x8xf32>, tensor<16x7xf32>, tensor<2x6xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return
}

// -----

func.func @c2_targets_of_other_steps(%x: tensor<2x6x8xf32>, %w: tensor<16x8xf32>, %t: tensor<2x5xi32>) {
  // expected-error@+1 {{'bifocal.projected_cross_entropy' op expects 'targets' of shape 2x6 (the rows of 'input'), but got 2x5}}
  %r0, %r1, %r2 = bifocal.projected_cross_entropy %x, %w, %t {ignore_index = 1 : i32, smoothing = 0.1 : f32} : (tensor<2x6x8xf32>, tensor<16x8xf32>, tensor<2x5xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return
}

// -----

func.func @c3_one_class(%x: tensor<2x6x8xf32>, %w: tensor<1x8xf32>, %t: tensor<2x6xi32>) {
  // expected-error@+1 {{'bifocal.projected_cross_entropy' op expects at least 2 classes, but got 1}}
  %r0, %r1, %r2 = bifocal.projected_cross_entropy %x, %w, %t {ignore_index = 1 : i32, smoothing = 0.1 : f32} : (tensor<2x6x8xf32>, tensor<1x8xf32>, tensor<2x6xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return
}

// -----

func.func @c4_smoothing_negative(%x: tensor<2x6x8xf32>, %w: tensor<16x8xf32>, %t: tensor<2x6xi32>) {
  // expected-error@+1 {{'bifocal.projected_cross_entropy' op expects a smoothing in [0, 1), but got -5.000000e-01}}
  %r0, %r1, %r2 = bifocal.projected_cross_entropy %x, %w, %t {ignore_index = 1 : i32, smoothing = -0.5 : f32} : (tensor<2x6x8xf32>, tensor<16x8xf32>, tensor<2x6xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return
}

// -----

func.func @c5_one_gradient(%x: tensor<2x6x8xf32>, %w: tensor<16x8xf32>, %t: tensor<2x6xi32>) {
  // expected-error@+1 {{'bifocal.projected_cross_entropy' op expects either no gradients or 2, those of 'input' and 'weight', but got 1}}
  %r0, %r1, %r2, %r3 = bifocal.projected_cross_entropy %x, %w, %t {ignore_index = 1 : i32, smoothing = 0.1 : f32} : (tensor<2x6x8xf32>, tensor<16x8xf32>, tensor<2x6xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>, tensor<2x6x8xf32>)
  return
}

// -----

func.func @c5_input_grad_of_other_steps(%x: tensor<2x6x8xf32>, %w: tensor<16x8xf32>, %t: tensor<2x6xi32>) {
  // expected-error@+1 {{'bifocal.projected_cross_entropy' op expects 'input_grad' of shape 2x6x8 (the shape of 'input'), but got 2x5x8}}
  %r0, %r1, %r2, %r3, %r4 = bifocal.projected_cross_entropy %x, %w, %t {ignore_index = 1 : i32, smoothing = 0.1 : f32} : (tensor<2x6x8xf32>, tensor<16x8xf32>, tensor<2x6xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>, tensor<2x5x8xf32>, tensor<16x8xf32>)
  return
}

// -----

func.func @c5_weight_grad_transposed(%x: tensor<2x6x8xf32>, %w: tensor<16x8xf32>, %t: tensor<2x6xi32>) {
  // expected-error@+1 {{'bifocal.projected_cross_entropy' op expects 'weight_grad' of shape 16x8 (the shape of 'weight'), but got 8x16}}
  %r0, %r1, %r2, %r3, %r4 = bifocal.projected_cross_entropy %x, %w, %t {ignore_index = 1 : i32, smoothing = 0.1 : f32} : (tensor<2x6x8xf32>, tensor<16x8xf32>, tensor<2x6xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>, tensor<2x6x8xf32>, tensor<8x16xf32>)
  return
}

// -----

func.func @c6_mask_of_other_rows(%x: tensor<2x6x8xf32>, %w: tensor<16x8xf32>, %t: tensor<2x6xi32>, %m: tensor<2x5xi1>) {
  // expected-error@+1 {{'bifocal.projected_cross_entropy' op expects 'mask' of shape 2x6 (the rows of 'input'), but got 2x5}}
  %l, %n, %c = bifocal.projected_cross_entropy %x, %w, %t mask %m {ignore_index = 1 : i32}
      : (tensor<2x6x8xf32>, tensor<16x8xf32>, tensor<2x6xi32>, tensor<2x5xi1>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return
}
