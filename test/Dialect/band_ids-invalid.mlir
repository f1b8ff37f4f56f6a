// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_other_shape(%t: tensor<2x3xi32>) {
  // expected-error@+1 {{'bifocal.band_ids' op expects 'output' of shape 2x3 (the shape of 'ids'), but got 3x2}}
  %y = bifocal.band_ids %t {low = 0 : i32, high = 12 : i32, otherwise = -1 : i32} : (tensor<2x3xi32>) -> tensor<3x2xi32>
  return
}

// -----

func.func @c2_empty_band(%t: tensor<?xi32>) {
  // expected-error@+1 {{'bifocal.band_ids' op expects a band with 0 <= low < high, but got 12 and 12}}
  %y = bifocal.band_ids %t {low = 12 : i32, high = 12 : i32, otherwise = -1 : i32} : (tensor<?xi32>) -> tensor<?xi32>
  return
}

// -----

func.func @c2_below_zero(%t: tensor<?xi32>) {
  // expected-error@+1 {{'bifocal.band_ids' op expects a band with 0 <= low < high, but got -1 and 12}}
  %y = bifocal.band_ids %t {low = -1 : i32, high = 12 : i32, otherwise = -1 : i32} : (tensor<?xi32>) -> tensor<?xi32>
  return
}
