// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

bifocal.param @w : tensor<16x8xf32> init {kind = "zeros"}
bifocal.param @table : tensor<16x8xf32> init {kind = "sinusoidal"} frozen
func.func @c1_no_such_parameter() {
  // expected-error@+1 {{'bifocal.param_ref' op expects the name of a 'bifocal.param', but there is none named 'v'}}
  %w = bifocal.param_ref @v : tensor<16x8xf32>
  return
}

// -----

bifocal.param @w : tensor<16x8xf32> init {kind = "zeros"}
bifocal.param @table : tensor<16x8xf32> init {kind = "sinusoidal"} frozen
func.func @c2_other_shape() {
  // expected-error@+1 {{'bifocal.param_ref' op expects the parameter's type 'tensor<16x8xf32>', but got 'tensor<2x6x8xf32>'}}
  %w = bifocal.param_ref @w : tensor<2x6x8xf32>
  return
}
