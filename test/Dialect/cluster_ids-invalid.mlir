// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_other_shape(%t: tensor<2x3xi32>) {
  // expected-error@+1 {{'bifocal.cluster_ids' op expects 'output' of shape 2x3 (the shape of 'ids'), but got 3x2}}
  %y = bifocal.cluster_ids %t {cutoffs = array<i32: 12>} : (tensor<2x3xi32>) -> tensor<3x2xi32>
  return
}

// -----

func.func @c2_none(%t: tensor<?xi32>) {
  // expected-error@+1 {{'bifocal.cluster_ids' op expects at least one cutoff, but got none}}
  %y = bifocal.cluster_ids %t {cutoffs = array<i32>} : (tensor<?xi32>) -> tensor<?xi32>
  return
}

// -----

func.func @c2_not_ascending(%t: tensor<?xi32>) {
  // expected-error@+1 {{'bifocal.cluster_ids' op expects ascending cutoffs above 0, but 12 follows 25}}
  %y = bifocal.cluster_ids %t {cutoffs = array<i32: 25, 12>} : (tensor<?xi32>) -> tensor<?xi32>
  return
}
