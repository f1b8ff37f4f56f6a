// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

// c1_dynamic_shape
// expected-error@+1 {{'bifocal.param' op expects a static shape, but got ?x8}}
bifocal.param @w : tensor<?x8xf32> init {kind = "zeros"}

// -----

// c2_no_kind
// expected-error@+1 {{'bifocal.param' op expects 'init' to have a string 'kind', but got {gain = 1.000000e+00 : f64}}}
bifocal.param @w : tensor<8xf32> init {gain = 1.0 : f64}

// -----

// c2_unknown_kind
// expected-error@+1 {{'bifocal.param' op expects an initialiser zeros, ones, xavier_uniform, normal, uniform, constant, sinusoidal, sinusoidal_distance, rotary_cos or rotary_sin, but got 'kaiming'}}
bifocal.param @w : tensor<8xf32> init {kind = "kaiming"}

// -----

// c3_transient_but_trained
// expected-error@+1 {{'bifocal.param' op expects 'frozen' beside 'transient': what is not stored cannot be trained}}
bifocal.param @w : tensor<8xf32> init {kind = "zeros"} transient

// -----

// c4_bounds_of_a_constant
// expected-error@+1 {{'bifocal.param' op expects no 'bounds' beside 'frozen': they bound what updates do}}
bifocal.param @w : tensor<8xf32> init {kind = "zeros"} frozen {bounds = array<f32: 0.0, 1.0>}

// -----

// c4_bounds_above_zero
// expected-error@+1 {{'bifocal.param' op expects two 'bounds', one not above and one not below 0, but got array<f32: 5.000000e-01, 1.000000e+00>}}
bifocal.param @w : tensor<8xf32> init {kind = "zeros"} {bounds = array<f32: 0.5, 1.0>}
