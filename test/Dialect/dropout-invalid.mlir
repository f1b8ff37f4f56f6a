// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_rate_of_one(%x: tensor<2x6x8xf32>, %r: tensor<2xi64>) {
  // expected-error@+1 {{'bifocal.dropout' op expects a drop rate in [0, 1), but got 1.000000e+00}}
  %r0 = bifocal.dropout %x, %r {rate = 1.0 : f32, site = 0 : i32} : (tensor<2x6x8xf32>, tensor<2xi64>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c1_rate_negative(%x: tensor<2x6x8xf32>, %r: tensor<2xi64>) {
  // expected-error@+1 {{'bifocal.dropout' op expects a drop rate in [0, 1), but got -5.000000e-01}}
  %r0 = bifocal.dropout %x, %r {rate = -0.5 : f32, site = 0 : i32} : (tensor<2x6x8xf32>, tensor<2xi64>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @rng_of_three(%x: tensor<2x6x8xf32>, %r: tensor<3xi64>) {
  // expected-error@+1 {{'bifocal.dropout' op operand #1 must be seed and draw counter, tensor<2xi64>, but got 'tensor<3xi64>'}}
  %r0 = bifocal.dropout %x, %r {rate = 0.5 : f32, site = 0 : i32} : (tensor<2x6x8xf32>, tensor<3xi64>) -> tensor<2x6x8xf32>
  return
}
