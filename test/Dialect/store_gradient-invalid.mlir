// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

bifocal.param @w : tensor<16x8xf32> init {kind = "zeros"}
bifocal.param @table : tensor<16x8xf32> init {kind = "sinusoidal"} frozen
func.func @c1_no_such_parameter(%g: tensor<16x8xf32>) {
  // expected-error@+1 {{'bifocal.store_gradient' op expects the name of a 'bifocal.param', but there is none named 'v'}}
  bifocal.store_gradient %g into @v : tensor<16x8xf32>
  return
}

// -----

bifocal.param @w : tensor<16x8xf32> init {kind = "zeros"}
bifocal.param @table : tensor<16x8xf32> init {kind = "sinusoidal"} frozen
func.func @c2_other_shape(%g: tensor<2x6x8xf32>) {
  // expected-error@+1 {{'bifocal.store_gradient' op expects a gradient of the parameter's type 'tensor<16x8xf32>', but got 'tensor<2x6x8xf32>'}}
  bifocal.store_gradient %g into @w : tensor<2x6x8xf32>
  return
}
