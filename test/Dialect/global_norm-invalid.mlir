// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

bifocal.param @w : tensor<16x8xf32> init {kind = "zeros"}
bifocal.param @table : tensor<16x8xf32> init {kind = "sinusoidal"} frozen
func.func @c1_no_parameters(%c: tensor<f32>) {
  // expected-error@+1 {{'bifocal.global_norm' op expects at least 1 parameter, but got 0}}
  %n = bifocal.global_norm %c of [] : (tensor<f32>) -> tensor<f32>
  return
}

// -----

bifocal.param @w : tensor<16x8xf32> init {kind = "zeros"}
bifocal.param @table : tensor<16x8xf32> init {kind = "sinusoidal"} frozen
func.func @c2_twice(%c: tensor<f32>) {
  // expected-error@+1 {{'bifocal.global_norm' op expects every parameter once, but got 'w' again}}
  %n = bifocal.global_norm %c of [@w, @w] : (tensor<f32>) -> tensor<f32>
  return
}

// -----

bifocal.param @w : tensor<16x8xf32> init {kind = "zeros"}
bifocal.param @table : tensor<16x8xf32> init {kind = "sinusoidal"} frozen
func.func @c3_no_such_parameter(%c: tensor<f32>) {
  // expected-error@+1 {{'bifocal.global_norm' op expects the name of a 'bifocal.param', but there is none named 'v'}}
  %n = bifocal.global_norm %c of [@v] : (tensor<f32>) -> tensor<f32>
  return
}

// -----

bifocal.param @w : tensor<16x8xf32> init {kind = "zeros"}
bifocal.param @table : tensor<16x8xf32> init {kind = "sinusoidal"} frozen
func.func @c3_frozen(%c: tensor<f32>) {
  // expected-error@+1 {{'bifocal.global_norm' op expects trained parameters, but 'table' is frozen}}
  %n = bifocal.global_norm %c of [@table] : (tensor<f32>) -> tensor<f32>
  return
}
