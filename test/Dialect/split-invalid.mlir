// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_one_part(%x: tensor<2x6x8xf32>) {
  // expected-error@+1 {{'bifocal.split' op expects at least two 'outputs', but got 1}}
  %a = bifocal.split %x : (tensor<2x6x8xf32>) -> tensor<2x6x8xf32>
  return
}

// -----

func.func @c1_dynamic_channels(%x: tensor<2x6x8xf32>) {
  // expected-error@+1 {{'bifocal.split' op expects a static number of channels of 'outputs' number 1}}
  %a, %b = bifocal.split %x : (tensor<2x6x8xf32>) -> (tensor<2x6x4xf32>, tensor<2x6x?xf32>)
  return
}

// -----

func.func @c2_other_rows(%x: tensor<2x6x8xf32>) {
  // expected-error@+1 {{'bifocal.split' op expects 'outputs' of shape 2x6x4 (the rows of 'input'), but got 2x5x4}}
  %a, %b = bifocal.split %x : (tensor<2x6x8xf32>) -> (tensor<2x6x4xf32>, tensor<2x5x4xf32>)
  return
}

// -----

func.func @c2_other_element(%x: tensor<2x6x8xf32>) {
  // expected-error@+1 {{'bifocal.split' op expects 'outputs' number 1 of 'f32', as 'input' is, but got 'bf16'}}
  %a, %b = bifocal.split %x : (tensor<2x6x8xf32>) -> (tensor<2x6x4xf32>, tensor<2x6x4xbf16>)
  return
}

// -----

func.func @c3_channels_left_over(%x: tensor<2x6x8xf32>) {
  // expected-error@+1 {{'bifocal.split' op expects 'outputs' of 8 channels together, as 'input' has, but got 7}}
  %a, %b = bifocal.split %x : (tensor<2x6x8xf32>) -> (tensor<2x6x4xf32>, tensor<2x6x3xf32>)
  return
}
