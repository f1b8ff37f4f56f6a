// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_one_part(%a: tensor<2x6x8xf32>) {
  // expected-error@+1 {{'bifocal.concat' op expects at least two 'inputs', but got 1}}
  %y = bifocal.concat %a : (tensor<2x6x8xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c1_dynamic_channels(%a: tensor<2x6x4xf32>, %b: tensor<2x6x?xf32>) {
  // expected-error@+1 {{'bifocal.concat' op expects a static number of channels of 'inputs' number 1}}
  %y = bifocal.concat %a, %b : (tensor<2x6x4xf32>, tensor<2x6x?xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c2_other_rows(%a: tensor<2x6x4xf32>, %b: tensor<2x5x4xf32>) {
  // expected-error@+1 {{'bifocal.concat' op expects 'inputs' of shape 2x6x4 (the rows of 'output'), but got 2x5x4}}
  %y = bifocal.concat %a, %b : (tensor<2x6x4xf32>, tensor<2x5x4xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c2_other_element(%a: tensor<2x6x4xf32>, %b: tensor<2x6x4xbf16>) {
  // expected-error@+1 {{'bifocal.concat' op expects 'inputs' number 1 of 'f32', as 'output' is, but got 'bf16'}}
  %y = bifocal.concat %a, %b : (tensor<2x6x4xf32>, tensor<2x6x4xbf16>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c3_channels_left_over(%a: tensor<2x6x4xf32>, %b: tensor<2x6x3xf32>) {
  // expected-error@+1 {{'bifocal.concat' op expects 'inputs' of 8 channels together, as 'output' has, but got 7}}
  %y = bifocal.concat %a, %b : (tensor<2x6x4xf32>, tensor<2x6x3xf32>) -> tensor<2x6x8xf32>
  return
}
