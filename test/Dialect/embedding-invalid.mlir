// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_output_of_other_channels(%i: tensor<2x6xi32>, %t: tensor<20x8xf32>) {
  // expected-error@+1 {{'bifocal.embedding' op expects 'output' of shape 2x6x8 (the shape of 'ids', columns of 'table'), but got 2x6x16}}
  %r0 = bifocal.embedding %i, %t : (tensor<2x6xi32>, tensor<20x8xf32>) -> tensor<2x6x16xf32>
  return
}
