// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

bifocal.param @w : tensor<16x8xf32> init {kind = "zeros"}
bifocal.param @table : tensor<16x8xf32> init {kind = "sinusoidal"} frozen
func.func @c1_no_parameters(%f: tensor<f32>, %h: tensor<4xf32>) {
  // expected-error@+1 {{'bifocal.adam' op expects at least 1 parameter, but got 0}}
  bifocal.adam %f, %h of [] {beta1 = 0.9 : f32, beta2 = 0.98 : f32, epsilon = 1.0e-8 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>
  return
}

// -----

bifocal.param @w : tensor<16x8xf32> init {kind = "zeros"}
bifocal.param @table : tensor<16x8xf32> init {kind = "sinusoidal"} frozen
func.func @c2_twice(%f: tensor<f32>, %h: tensor<4xf32>) {
  // expected-error@+1 {{'bifocal.adam' op expects every parameter once, but got 'w' again}}
  bifocal.adam %f, %h of [@w, @w] {beta1 = 0.9 : f32, beta2 = 0.98 : f32, epsilon = 1.0e-8 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>
  return
}

// -----

bifocal.param @w : tensor<16x8xf32> init {kind = "zeros"}
bifocal.param @table : tensor<16x8xf32> init {kind = "sinusoidal"} frozen
func.func @c3_no_such_parameter(%f: tensor<f32>, %h: tensor<4xf32>) {
  // expected-error@+1 {{'bifocal.adam' op expects the name of a 'bifocal.param', but there is none named 'v'}}
  bifocal.adam %f, %h of [@v] {beta1 = 0.9 : f32, beta2 = 0.98 : f32, epsilon = 1.0e-8 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>
  return
}

// -----

bifocal.param @w : tensor<16x8xf32> init {kind = "zeros"}
bifocal.param @table : tensor<16x8xf32> init {kind = "sinusoidal"} frozen
func.func @c3_frozen(%f: tensor<f32>, %h: tensor<4xf32>) {
  // expected-error@+1 {{'bifocal.adam' op expects trained parameters, but 'table' is frozen}}
  bifocal.adam %f, %h of [@table] {beta1 = 0.9 : f32, beta2 = 0.98 : f32, epsilon = 1.0e-8 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>
  return
}

// -----

bifocal.param @w : tensor<16x8xf32> init {kind = "zeros"}
bifocal.param @table : tensor<16x8xf32> init {kind = "sinusoidal"} frozen
func.func @c4_beta1_of_one(%f: tensor<f32>, %h: tensor<4xf32>) {
  // expected-error@+1 {{'bifocal.adam' op expects beta1 in [0, 1), but got 1.000000e+00}}
  bifocal.adam %f, %h of [@w] {beta1 = 1.0 : f32, beta2 = 0.98 : f32, epsilon = 1.0e-8 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>
  return
}

// -----

bifocal.param @w : tensor<16x8xf32> init {kind = "zeros"}
bifocal.param @table : tensor<16x8xf32> init {kind = "sinusoidal"} frozen
func.func @c4_beta2_negative(%f: tensor<f32>, %h: tensor<4xf32>) {
  // expected-error@+1 {{'bifocal.adam' op expects beta2 in [0, 1), but got -5.000000e-01}}
  bifocal.adam %f, %h of [@w] {beta1 = 0.9 : f32, beta2 = -0.5 : f32, epsilon = 1.0e-8 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>
  return
}

// -----

bifocal.param @w : tensor<16x8xf32> init {kind = "zeros"}
bifocal.param @table : tensor<16x8xf32> init {kind = "sinusoidal"} frozen
func.func @c5_epsilon_of_zero(%f: tensor<f32>, %h: tensor<4xf32>) {
  // expected-error@+1 {{'bifocal.adam' op expects epsilon > 0, but got 0.000000e+00}}
  bifocal.adam %f, %h of [@w] {beta1 = 0.9 : f32, beta2 = 0.98 : f32, epsilon = 0.0 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<4xf32>
  return
}

// -----

bifocal.param @w : tensor<16x8xf32> init {kind = "zeros"}
bifocal.param @table : tensor<16x8xf32> init {kind = "sinusoidal"} frozen
func.func @c6_decay_negative(%f: tensor<f32>, %h: tensor<4xf32>) {
  // expected-error@+1 {{'bifocal.adam' op expects weight_decay >= 0, but got -5.000000e-01}}
  bifocal.adam %f, %h of [@w] {beta1 = 0.9 : f32, beta2 = 0.98 : f32, epsilon = 1.0e-8 : f32, weight_decay = -0.5 : f32} : tensor<f32>, tensor<4xf32>
  return
}

// -----

bifocal.param @w : tensor<16x8xf32> init {kind = "zeros"}
bifocal.param @table : tensor<16x8xf32> init {kind = "sinusoidal"} frozen
func.func @hyper_of_three(%f: tensor<f32>, %h: tensor<3xf32>) {
  // expected-error@+1 {{'bifocal.adam' op operand #1 must be learning rate, corrected learning rate, clip norm and a reserved place, tensor<4xf32>, but got 'tensor<3xf32>'}}
  bifocal.adam %f, %h of [@w] {beta1 = 0.9 : f32, beta2 = 0.98 : f32, epsilon = 1.0e-8 : f32, weight_decay = 0.0 : f32} : tensor<f32>, tensor<3xf32>
  return
}

// -----


bifocal.param @w : tensor<16x8xf32> init {kind = "zeros"}
bifocal.param @table : tensor<16x8xf32> init {kind = "sinusoidal"} frozen
func.func @bounds_without_zero(%f: tensor<f32>, %h: tensor<4xf32>) {
  // expected-error@+1 {{'bifocal.adam' op expects two bounds, one not above and one not below 0, but got array<f32: 5.000000e-01, 1.000000e+00>}}
  bifocal.adam %f, %h of [@w] {beta1 = 0.9 : f32, beta2 = 0.98 : f32, epsilon = 1.0e-8 : f32, weight_decay = 0.0 : f32, bounds = array<f32: 0.5, 1.0>} : tensor<f32>, tensor<4xf32>
  return
}
