// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

bifocal.param @w : tensor<16x8xf32> init {kind = "zeros"}
bifocal.param @table : tensor<16x8xf32> init {kind = "sinusoidal"} frozen
func.func @c1_no_parameters(%f: tensor<f32>, %h: tensor<4xf32>) {
  // expected-error@+1 {{'bifocal.nag' op expects at least 1 parameter, but got 0}}
  bifocal.nag %f, %h of [] {momentum = 0.5 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>
  return
}

// -----

bifocal.param @w : tensor<16x8xf32> init {kind = "zeros"}
bifocal.param @table : tensor<16x8xf32> init {kind = "sinusoidal"} frozen
func.func @c2_twice(%f: tensor<f32>, %h: tensor<4xf32>) {
  // expected-error@+1 {{'bifocal.nag' op expects every parameter once, but got 'w' again}}
  bifocal.nag %f, %h of [@w, @w] {momentum = 0.5 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>
  return
}

// -----

bifocal.param @w : tensor<16x8xf32> init {kind = "zeros"}
bifocal.param @table : tensor<16x8xf32> init {kind = "sinusoidal"} frozen
func.func @c3_no_such_parameter(%f: tensor<f32>, %h: tensor<4xf32>) {
  // expected-error@+1 {{'bifocal.nag' op expects the name of a 'bifocal.param', but there is none named 'v'}}
  bifocal.nag %f, %h of [@v] {momentum = 0.5 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>
  return
}

// -----

bifocal.param @w : tensor<16x8xf32> init {kind = "zeros"}
bifocal.param @table : tensor<16x8xf32> init {kind = "sinusoidal"} frozen
func.func @c3_frozen(%f: tensor<f32>, %h: tensor<4xf32>) {
  // expected-error@+1 {{'bifocal.nag' op expects trained parameters, but 'table' is frozen}}
  bifocal.nag %f, %h of [@table] {momentum = 0.5 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>
  return
}

// -----

bifocal.param @w : tensor<16x8xf32> init {kind = "zeros"}
bifocal.param @table : tensor<16x8xf32> init {kind = "sinusoidal"} frozen
func.func @c4_momentum_of_one(%f: tensor<f32>, %h: tensor<4xf32>) {
  // expected-error@+1 {{'bifocal.nag' op expects momentum in [0, 1), but got 1.000000e+00}}
  bifocal.nag %f, %h of [@w] {momentum = 1.0 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>
  return
}

// -----

bifocal.param @w : tensor<16x8xf32> init {kind = "zeros"}
bifocal.param @table : tensor<16x8xf32> init {kind = "sinusoidal"} frozen
func.func @c5_decay_negative(%f: tensor<f32>, %h: tensor<4xf32>) {
  // expected-error@+1 {{'bifocal.nag' op expects weight_decay >= 0, but got -5.000000e-01}}
  bifocal.nag %f, %h of [@w] {momentum = 0.5 : f32, weight_decay = -0.5 : f32} : tensor<f32>, tensor<4xf32>
  return
}

// -----


bifocal.param @w : tensor<16x8xf32> init {kind = "zeros"}
bifocal.param @table : tensor<16x8xf32> init {kind = "sinusoidal"} frozen
func.func @c7_bounds_above_zero(%f: tensor<f32>, %h: tensor<4xf32>) {
  // expected-error@+1 {{'bifocal.nag' op expects two bounds, one not above and one not below 0, but got array<f32: 5.000000e-01, 1.000000e+00>}}
  bifocal.nag %f, %h of [@w] {momentum = 0.5 : f32, weight_decay = 0.0 : f32, bounds = array<f32: 0.5, 1.0>} : tensor<f32>, tensor<4xf32>
  return
}
