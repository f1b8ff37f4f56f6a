// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_weight_of_other_channels(%x: tensor<2x6x8xf32>, %w: tensor<16x7xf32>) {
  // expected-error@+1 {{'bifocal.linear' op expects one column of 'weight' per channel of 'input', but got 7 columns and 8 channels}}
  %r0 = bifocal.linear %x, %w : (tensor<2x6x8xf32>, tensor<16x7xf32>) -> tensor<2x6x16xf32>
  return
}

// -----

func.func @c2_bias_of_the_columns(%x: tensor<2x6x8xf32>, %w: tensor<16x8xf32>, %b: tensor<8xf32>) {
  // expected-error@+1 {{'bifocal.linear' op expects 'bias' of shape 16 (the rows of 'weight'), but got 8}}
  %r0 = bifocal.linear %x, %w bias %b : (tensor<2x6x8xf32>, tensor<16x8xf32>, tensor<8xf32>) -> tensor<2x6x16xf32>
  return
}

// -----

func.func @c3_odd_gate(%x: tensor<2x6x8xf32>, %w: tensor<15x8xf32>) {
  // expected-error@+1 {{'bifocal.linear' op expects an even number of rows of 'weight' where the activation is glu, but got 15}}
  %r0 = bifocal.linear %x, %w activation glu : (tensor<2x6x8xf32>, tensor<15x8xf32>) -> tensor<2x6x7xf32>
  return
}

// -----

func.func @c4_output_of_other_rows(%x: tensor<2x6x8xf32>, %w: tensor<16x8xf32>) {
  // expected-error@+1 {{'bifocal.linear' op expects 'output' of shape 2x6x16 (rows of 'input', rows of 'weight'), but got 2x5x16}}
  %r0 = bifocal.linear %x, %w : (tensor<2x6x8xf32>, tensor<16x8xf32>) -> tensor<2x5x16xf32>
  return
}

// -----

func.func @c4_gate_halves_the_output(%x: tensor<2x6x8xf32>, %w: tensor<16x8xf32>) {
  // expected-error@+1 {{'bifocal.linear' op expects 'output' of shape 2x6x8 (rows of 'input', half the rows of 'weight'), but got 2x6x16}}
  %r0 = bifocal.linear %x, %w activation glu : (tensor<2x6x8xf32>, tensor<16x8xf32>) -> tensor<2x6x16xf32>
  return
}

// -----

func.func @c5_preactivation_is_not_halved(%x: tensor<2x6x8xf32>, %w: tensor<16x8xf32>) {
  // expected-error@+1 {{'bifocal.linear' op expects 'preactivation' of shape 2x6x16 (rows of 'input', rows of 'weight'), but got 2x6x8}}
  %r0, %r1 = bifocal.linear %x, %w activation glu : (tensor<2x6x8xf32>, tensor<16x8xf32>) -> (tensor<2x6x8xf32>, tensor<2x6x8xf32>)
  return
}

// -----

func.func @c6_mask_of_other_rows(%x: tensor<2x6x8xf32>, %w: tensor<16x8xf32>, %m: tensor<2x5xi1>) {
  // expected-error@+1 {{'bifocal.linear' op expects 'mask' of shape 2x6 (the rows of 'input'), but got 2x5}}
  %r0 = bifocal.linear %x, %w mask %m : (tensor<2x6x8xf32>, tensor<16x8xf32>, tensor<2x5xi1>) -> tensor<2x6x16xf32>
  return
}

// -----

func.func @c7_narrow_input_and_quantization(%x: tensor<2x6x8xbf16>, %w: tensor<16x8xf32>) {
  // expected-error@+1 {{'bifocal.linear' op expects 'input' of f32 beside factors of 8 bits, but got 'bf16'}}
  %r0 = bifocal.linear %x, %w quantization weights : (tensor<2x6x8xbf16>, tensor<16x8xf32>) -> tensor<2x6x16xf32>
  return
}

// -----

func.func @c7_narrow_output_and_quantization(%x: tensor<2x6x8xf32>, %w: tensor<16x8xf32>) {
  // expected-error@+1 {{'bifocal.linear' op expects 'output' of f32 beside factors of 8 bits, but got 'bf16'}}
  %r0 = bifocal.linear %x, %w quantization factors : (tensor<2x6x8xf32>, tensor<16x8xf32>) -> tensor<2x6x16xbf16>
  return
}

// -----

func.func @c3_odd_swiglu(%x: tensor<2x6x8xf32>, %w: tensor<15x8xf32>) {
  // expected-error@+1 {{'bifocal.linear' op expects an even number of rows of 'weight' where the activation is swiglu, but got 15}}
  %r0 = bifocal.linear %x, %w activation swiglu : (tensor<2x6x8xf32>, tensor<15x8xf32>) -> tensor<2x6x7xf32>
  return
}
