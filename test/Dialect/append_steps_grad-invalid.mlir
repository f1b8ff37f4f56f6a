// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_other_channels(%m: tensor<2x4x8xf32>, %g: tensor<2x7x9xf32>) {
  // expected-error@+1 {{'bifocal.append_steps_grad' op expects 'output_grad' of shape 2x?x8 (rows and channels of 'memory'), but got 2x7x9}}
  %d = bifocal.append_steps_grad %m, %g : (tensor<2x4x8xf32>, tensor<2x7x9xf32>) -> tensor<2x3x8xf32>
  return
}

// -----

func.func @c2_other_steps(%m: tensor<2x4x8xf32>, %g: tensor<2x7x8xf32>) {
  // expected-error@+1 {{'bifocal.append_steps_grad' op expects 'output_grad' of shape 2x8x8 (the steps of 'memory' and of 'input_grad'), but got 2x7x8}}
  %d = bifocal.append_steps_grad %m, %g : (tensor<2x4x8xf32>, tensor<2x7x8xf32>) -> tensor<2x4x8xf32>
  return
}
