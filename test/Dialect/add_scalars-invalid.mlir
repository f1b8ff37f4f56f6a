// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_none() {
  // expected-error@+1 {{'bifocal.add_scalars' op expects at least one of 'inputs', but got none}}
  %y = "bifocal.add_scalars"() : () -> tensor<f32>
  return
}
