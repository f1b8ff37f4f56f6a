// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_heads_do_not_divide(%x: tensor<2x6x8xf32>, %l: tensor<2x6x3xf32>) {
  // expected-error@+1 {{'bifocal.head_difference' op expects twice the channels of 'gate' to divide those of 'input', but got 3 and 8 channels}}
  %y = bifocal.head_difference %x, %l : (tensor<2x6x8xf32>, tensor<2x6x3xf32>) -> tensor<2x6x4xf32>
  return
}

// -----

func.func @c1_channels_are_dynamic(%x: tensor<2x6x8xf32>, %l: tensor<2x6x?xf32>) {
  // expected-error@+1 {{'bifocal.head_difference' op expects a static number of channels of 'gate', but got ?}}
  %y = bifocal.head_difference %x, %l : (tensor<2x6x8xf32>, tensor<2x6x?xf32>) -> tensor<2x6x4xf32>
  return
}

// -----

func.func @c1_gate_of_other_steps(%x: tensor<2x6x8xf32>, %l: tensor<2x5x2xf32>) {
  // expected-error@+1 {{'bifocal.head_difference' op expects 'gate' of shape 2x6x2 (the rows of 'input'), but got 2x5x2}}
  %y = bifocal.head_difference %x, %l : (tensor<2x6x8xf32>, tensor<2x5x2xf32>) -> tensor<2x6x4xf32>
  return
}

// -----

func.func @c2_output_of_all_channels(%x: tensor<2x6x8xf32>, %l: tensor<2x6x2xf32>) {
  // expected-error@+1 {{'bifocal.head_difference' op expects 'output' of shape 2x6x4 (rows of 'input', half its channels), but got 2x6x8}}
  %y = bifocal.head_difference %x, %l : (tensor<2x6x8xf32>, tensor<2x6x2xf32>) -> tensor<2x6x8xf32>
  return
}
