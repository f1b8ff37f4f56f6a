// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_one_sum_per_row(%x: tensor<2x6x8xf32>) {
  // expected-error@+1 {{'bifocal.column_sum' op expects 'output' of shape 8 (the channels of 'input'), but got 6}}
  %r0 = bifocal.column_sum %x : (tensor<2x6x8xf32>) -> tensor<6xf32>
  return
}
