// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_targets_of_other_steps(%x: tensor<2x6x8xf32>, %t: tensor<2x5xi32>) {
  // expected-error@+1 {{'bifocal.cross_entropy_grad' op expects 'targets' of shape 2x6 (the rows of 'logits'), but got 2x5}}
  %r0 = bifocal.cross_entropy_grad %x, %t {ignore_index = 1 : i32, smoothing = 0.1 : f32} : (tensor<2x6x8xf32>, tensor<2x5xi32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c2_one_class(%x: tensor<2x6x1xf32>, %t: tensor<2x6xi32>) {
  // expected-error@+1 {{'bifocal.cross_entropy_grad' op expects at least 2 classes, but got 1}}
  %r0 = bifocal.cross_entropy_grad %x, %t {ignore_index = 1 : i32, smoothing = 0.1 : f32} : (tensor<2x6x1xf32>, tensor<2x6xi32>) -> tensor<2x6x1xf32>
  return
}

// -----

func.func @c3_smoothing_of_one(%x: tensor<2x6x8xf32>, %t: tensor<2x6xi32>) {
  // expected-error@+1 {{'bifocal.cross_entropy_grad' op expects a smoothing in [0, 1), but got 1.000000e+00}}
  %r0 = bifocal.cross_entropy_grad %x, %t {ignore_index = 1 : i32, smoothing = 1.0 : f32} : (tensor<2x6x8xf32>, tensor<2x6xi32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c1_logits_grad_of_other_steps(%x: tensor<2x6x8xf32>, %t: tensor<2x6xi32>) {
  // expected-error@+1 {{'bifocal.cross_entropy_grad' op expects 'logits_grad' of shape 2x6x8 (the shape of 'logits'), but got 2x5x8}}
  %r0 = bifocal.cross_entropy_grad %x, %t {ignore_index = 1 : i32, smoothing = 0.1 : f32} : (tensor<2x6x8xf32>, tensor<2x6xi32>) -> tensor<2x5x8xf32>
  return
}
