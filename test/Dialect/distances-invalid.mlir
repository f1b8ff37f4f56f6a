// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_other_steps(%x: tensor<2x3x8xf32>) {
  // expected-error@+1 {{'bifocal.distances' op expects 'output' of shape 3 (the steps of 'sequence'), but got 2}}
  %d = bifocal.distances %x {most = 4 : i32} : (tensor<2x3x8xf32>) -> tensor<2xi32>
  return
}

// -----

func.func @c2_negative(%x: tensor<2x3x8xf32>) {
  // expected-error@+1 {{'bifocal.distances' op expects most >= 0, but got -1}}
  %d = bifocal.distances %x {most = -1 : i32} : (tensor<2x3x8xf32>) -> tensor<3xi32>
  return
}
