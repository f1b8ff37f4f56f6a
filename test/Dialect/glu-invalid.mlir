// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_channels_are_not_halved(%x: tensor<2x6x8xf32>) {
  // expected-error@+1 {{'bifocal.glu' op expects 'input' of shape 2x6x16 (rows of 'output', twice its channels), but got 2x6x8}}
  %r0 = bifocal.glu %x : (tensor<2x6x8xf32>) -> tensor<2x6x8xf32>
  return
}
