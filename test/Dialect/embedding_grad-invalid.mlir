// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_output_grad_of_other_rows(%i: tensor<2x6xi32>, %g: tensor<2x5x8xf32>) {
  // expected-error@+1 {{'bifocal.embedding_grad' op expects 'output_grad' of shape 2x6x8 (the shape of 'ids', columns of 'table_grad'), but got 2x5x8}}
  %r0 = bifocal.embedding_grad %i, %g : (tensor<2x6xi32>, tensor<2x5x8xf32>) -> tensor<20x8xf32>
  return
}

// -----

func.func @c2_initial_of_other_rows(%i: tensor<2x6xi32>, %g: tensor<2x6x8xf32>, %n: tensor<21x8xf32>) {
  // expected-error@+1 {{'bifocal.embedding_grad' op expects 'initial' of shape 20x8 (the shape of 'table_grad'), but got 21x8}}
  %r0 = bifocal.embedding_grad %i, %g initial %n : (tensor<2x6xi32>, tensor<2x6x8xf32>, tensor<21x8xf32>) -> tensor<20x8xf32>
  return
}
