// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_none() {
  // expected-error@+1 {{'bifocal.concat_rows' op expects at least one of 'inputs', but got none}}
  %y = "bifocal.concat_rows"() : () -> tensor<1x1xf32>
  return
}

// -----

func.func @c1_unknown_size(%a: tensor<?x32xf32>) {
  // expected-error@+1 {{'bifocal.concat_rows' op expects fixed sizes, but 'inputs' is ?x32}}
  %y = bifocal.concat_rows %a : (tensor<?x32xf32>) -> tensor<12x32xf32>
  return
}

// -----

func.func @c2_other_columns(%a: tensor<3x32xf32>, %b: tensor<3x31xf32>) {
  // expected-error@+1 {{'bifocal.concat_rows' op expects 'inputs' of shape 3x32 (the columns of 'output'), but got 3x31}}
  %y = bifocal.concat_rows %a, %b : (tensor<3x32xf32>, tensor<3x31xf32>) -> tensor<6x32xf32>
  return
}

// -----

func.func @c2_other_rows(%a: tensor<3x32xf32>, %b: tensor<4x32xf32>) {
  // expected-error@+1 {{'bifocal.concat_rows' op expects 'output' of shape 7x32 (the rows of all 'inputs' together), but got 8x32}}
  %y = bifocal.concat_rows %a, %b : (tensor<3x32xf32>, tensor<4x32xf32>) -> tensor<8x32xf32>
  return
}
