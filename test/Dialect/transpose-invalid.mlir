// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_unknown_size(%x: tensor<?x5xf32>) {
  // expected-error@+1 {{'bifocal.transpose' op expects fixed sizes, but 'input' is ?x5}}
  %y = bifocal.transpose %x : (tensor<?x5xf32>) -> tensor<5x3xf32>
  return
}

// -----

func.func @c1_as_it_is(%x: tensor<3x5xf32>) {
  // expected-error@+1 {{'bifocal.transpose' op expects 'output' of shape 5x3 (the sizes of 'input', exchanged), but got 3x5}}
  %y = bifocal.transpose %x : (tensor<3x5xf32>) -> tensor<3x5xf32>
  return
}
