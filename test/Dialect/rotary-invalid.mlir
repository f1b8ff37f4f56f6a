// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_no_heads(%x: tensor<2x6x8xf32>, %c: tensor<9x2xf32>) {
  // expected-error@+1 {{'bifocal.rotary' op expects heads >= 1, but got 0}}
  %y = bifocal.rotary %x, %c, %c {heads = 0 : i64} : (tensor<2x6x8xf32>, tensor<9x2xf32>, tensor<9x2xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c2_cos_of_any_length(%x: tensor<2x6x8xf32>, %c: tensor<?x2xf32>) {
  // expected-error@+1 {{'bifocal.rotary' op expects a static shape of 'cos', but got ?x2}}
  %y = bifocal.rotary %x, %c, %c {heads = 2 : i64} : (tensor<2x6x8xf32>, tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c2_sin_of_other_positions(%x: tensor<2x6x8xf32>, %c: tensor<9x2xf32>, %s: tensor<8x2xf32>) {
  // expected-error@+1 {{'bifocal.rotary' op expects 'sin' of shape 9x2 (the shape of 'cos'), but got 8x2}}
  %y = bifocal.rotary %x, %c, %s {heads = 2 : i64} : (tensor<2x6x8xf32>, tensor<9x2xf32>, tensor<8x2xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c3_more_pairs_than_channels(%x: tensor<2x6x8xf32>, %c: tensor<9x3xf32>) {
  // expected-error@+1 {{'bifocal.rotary' op expects one pair or more, at most half as many as a head has channels, but got 3 pairs and 4 channels}}
  %y = bifocal.rotary %x, %c, %c {heads = 2 : i64} : (tensor<2x6x8xf32>, tensor<9x3xf32>, tensor<9x3xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c4_four_axes(%x: tensor<2x2x6x8xf32>, %c: tensor<9x2xf32>) {
  // expected-error@+1 {{'bifocal.rotary' op expects 'input' with two or three axes, but got 4}}
  %y = bifocal.rotary %x, %c, %c {heads = 2 : i64} : (tensor<2x2x6x8xf32>, tensor<9x2xf32>, tensor<9x2xf32>) -> tensor<2x2x6x8xf32>
  return
}
