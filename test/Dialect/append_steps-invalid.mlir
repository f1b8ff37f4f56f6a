// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_other_channels(%m: tensor<2x4x8xf32>, %x: tensor<2x3x7xf32>) {
  // expected-error@+1 {{'bifocal.append_steps' op expects 'input' of shape 2x?x8 (rows and channels of 'memory'), but got 2x3x7}}
  %y = bifocal.append_steps %m, %x : (tensor<2x4x8xf32>, tensor<2x3x7xf32>) -> tensor<2x7x8xf32>
  return
}

// -----

func.func @c2_other_rows(%m: tensor<2x4x8xf32>, %x: tensor<2x3x8xf32>) {
  // expected-error@+1 {{'bifocal.append_steps' op expects 'output' of shape 2x?x8 (rows and channels of 'memory'), but got 1x7x8}}
  %y = bifocal.append_steps %m, %x : (tensor<2x4x8xf32>, tensor<2x3x8xf32>) -> tensor<1x7x8xf32>
  return
}

// -----

func.func @c2_other_steps(%m: tensor<2x4x8xf32>, %x: tensor<2x3x8xf32>) {
  // expected-error@+1 {{'bifocal.append_steps' op expects 'output' of shape 2x7x8 (the steps of 'memory' and of 'input'), but got 2x6x8}}
  %y = bifocal.append_steps %m, %x : (tensor<2x4x8xf32>, tensor<2x3x8xf32>) -> tensor<2x6x8xf32>
  return
}
