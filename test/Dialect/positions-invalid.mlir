// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_other_steps(%t: tensor<2x6xi32>) {
  // expected-error@+1 {{'bifocal.positions' op expects 'output' of shape 2x6 (the shape of 'tokens'), but got 2x5}}
  %r0 = bifocal.positions %t {pad = 1 : i32} : (tensor<2x6xi32>) -> tensor<2x5xi32>
  return
}
