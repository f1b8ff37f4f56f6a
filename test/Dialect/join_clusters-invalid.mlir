// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_no_words(%h: tensor<?x1xf32>, %a: tensor<?x5xf32>) {
  // expected-error@+1 {{'bifocal.join_clusters' op expects more columns of 'head' than tails, but got 1 and 1}}
  %y = bifocal.join_clusters %h, %a : (tensor<?x1xf32>, tensor<?x5xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @c2_other_rows(%h: tensor<4x3xf32>, %a: tensor<5x5xf32>) {
  // expected-error@+1 {{'bifocal.join_clusters' op expects 'tails' of shape 4x5 (the rows of 'head'), but got 5x5}}
  %y = bifocal.join_clusters %h, %a : (tensor<4x3xf32>, tensor<5x5xf32>) -> tensor<4x7xf32>
  return
}

// -----

func.func @c2_unknown_size(%h: tensor<4x3xf32>, %a: tensor<4x?xf32>) {
  // expected-error@+1 {{'bifocal.join_clusters' op expects last axes of fixed sizes, but a tail is 4x?}}
  %y = bifocal.join_clusters %h, %a : (tensor<4x3xf32>, tensor<4x?xf32>) -> tensor<4x7xf32>
  return
}

// -----

func.func @c3_other_columns(%h: tensor<4x3xf32>, %a: tensor<4x5xf32>) {
  // expected-error@+1 {{'bifocal.join_clusters' op expects 'output' of shape 4x7 (a column for each id), but got 4x8}}
  %y = bifocal.join_clusters %h, %a : (tensor<4x3xf32>, tensor<4x5xf32>) -> tensor<4x8xf32>
  return
}
