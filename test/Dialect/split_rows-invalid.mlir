// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_none(%x: tensor<3x5xf32>) {
  // expected-error@+1 {{'bifocal.split_rows' op expects at least one of 'outputs', but got none}}
  bifocal.split_rows %x : (tensor<3x5xf32>) -> ()
  return
}

// -----

func.func @c1_unknown_size(%x: tensor<3x5xf32>) {
  // expected-error@+1 {{'bifocal.split_rows' op expects fixed sizes, but 'outputs' is ?x5}}
  %a, %b = bifocal.split_rows %x : (tensor<3x5xf32>) -> (tensor<?x5xf32>, tensor<1x5xf32>)
  return
}

// -----

func.func @c2_other_columns(%x: tensor<3x5xf32>) {
  // expected-error@+1 {{'bifocal.split_rows' op expects 'outputs' of shape 2x5 (the columns of 'input'), but got 2x4}}
  %a, %b = bifocal.split_rows %x : (tensor<3x5xf32>) -> (tensor<2x4xf32>, tensor<1x5xf32>)
  return
}

// -----

func.func @c2_other_rows(%x: tensor<3x5xf32>) {
  // expected-error@+1 {{'bifocal.split_rows' op expects 'input' of shape 4x5 (the rows of all 'outputs' together), but got 3x5}}
  %a, %b = bifocal.split_rows %x : (tensor<3x5xf32>) -> (tensor<2x5xf32>, tensor<2x5xf32>)
  return
}
