// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_unknown_size(%x: tensor<?x5xf32>) {
  // expected-error@+1 {{'bifocal.slice_rows' op expects fixed sizes, but 'input' is ?x5}}
  %y = bifocal.slice_rows %x {first = 0 : i64} : (tensor<?x5xf32>) -> tensor<3x5xf32>
  return
}

// -----

func.func @c1_other_columns(%x: tensor<3x5xf32>) {
  // expected-error@+1 {{'bifocal.slice_rows' op expects 'output' of shape 2x5 (the columns of 'input'), but got 2x4}}
  %y = bifocal.slice_rows %x {first = 0 : i64} : (tensor<3x5xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @c2_behind_the_end(%x: tensor<3x5xf32>) {
  // expected-error@+1 {{'bifocal.slice_rows' op expects rows within the 3 of 'input', but got 2 from row 2 on}}
  %y = bifocal.slice_rows %x {first = 2 : i64} : (tensor<3x5xf32>) -> tensor<2x5xf32>
  return
}

// -----

func.func @c2_before_the_first(%x: tensor<3x5xf32>) {
  // expected-error@+1 {{'bifocal.slice_rows' op expects rows within the 3 of 'input', but got 2 from row -1 on}}
  %y = bifocal.slice_rows %x {first = -1 : i64} : (tensor<3x5xf32>) -> tensor<2x5xf32>
  return
}
