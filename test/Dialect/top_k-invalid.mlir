// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_rows_of_unknown_size(%x: tensor<4x?xf32>) {
  // expected-error@+1 {{'bifocal.top_k' op expects a last axis of a fixed size of at most 16777216, but got 4x?}}
  %v, %i = bifocal.top_k %x {k = 2 : i64} : (tensor<4x?xf32>) -> (tensor<4x2xf32>, tensor<4x2xi32>)
  return
}

// -----

func.func @c1_rows_too_long(%x: tensor<1x16777217xf32>) {
  // expected-error@+1 {{'bifocal.top_k' op expects a last axis of a fixed size of at most 16777216, but got 1x16777217}}
  %v, %i = bifocal.top_k %x {k = 2 : i64} : (tensor<1x16777217xf32>) -> (tensor<1x2xf32>, tensor<1x2xi32>)
  return
}

// -----

func.func @c2_more_than_a_row(%x: tensor<?x8xf32>) {
  // expected-error@+1 {{'bifocal.top_k' op expects k from 1 to 8, the elements of a row, but got 9}}
  %v, %i = bifocal.top_k %x {k = 9 : i64} : (tensor<?x8xf32>) -> (tensor<?x9xf32>, tensor<?x9xi32>)
  return
}

// -----

func.func @c2_none(%x: tensor<?x8xf32>) {
  // expected-error@+1 {{'bifocal.top_k' op expects k from 1 to 8, the elements of a row, but got 0}}
  %v, %i = bifocal.top_k %x {k = 0 : i64} : (tensor<?x8xf32>) -> (tensor<?x1xf32>, tensor<?x1xi32>)
  return
}

// -----

func.func @c3_other_columns(%x: tensor<?x8xf32>) {
  // expected-error@+1 {{'bifocal.top_k' op expects 'indices' of shape ?x2 (the rows of 'input' and k columns), but got ?x3}}
  %v, %i = bifocal.top_k %x {k = 2 : i64} : (tensor<?x8xf32>) -> (tensor<?x2xf32>, tensor<?x3xi32>)
  return
}

// -----

func.func @c3_other_elements(%x: tensor<?x8xbf16>) {
  // expected-error@+1 {{'bifocal.top_k' op expects 'values' to have the elements of 'input', 'bf16', but got 'f32'}}
  %v, %i = bifocal.top_k %x {k = 2 : i64} : (tensor<?x8xbf16>) -> (tensor<?x2xf32>, tensor<?x2xi32>)
  return
}
