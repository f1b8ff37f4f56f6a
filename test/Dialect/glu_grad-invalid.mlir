// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_input_without_gates(%g: tensor<2x6x8xf32>, %x: tensor<2x6x8xf32>) {
  // expected-error@+1 {{'bifocal.glu_grad' op expects 'input' of shape 2x6x16 (rows of 'output_grad', twice its channels), but got 2x6x8}}
  %r0 = bifocal.glu_grad %g, %x : (tensor<2x6x8xf32>, tensor<2x6x8xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c2_input_grad_without_gates(%g: tensor<2x6x8xf32>, %x: tensor<2x6x16xf32>) {
  // expected-error@+1 {{'bifocal.glu_grad' op expects 'input_grad' of shape 2x6x16 (the shape of 'input'), but got 2x6x8}}
  %r0 = bifocal.glu_grad %g, %x : (tensor<2x6x8xf32>, tensor<2x6x16xf32>) -> tensor<2x6x8xf32>
  return
}
