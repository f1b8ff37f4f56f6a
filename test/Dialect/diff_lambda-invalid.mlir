// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_size_is_dynamic(%a: tensor<?xf32>) {
  // expected-error@+1 {{'bifocal.diff_lambda' op expects a static size of 'query0', but got ?}}
  %y = bifocal.diff_lambda %a, %a, %a, %a {initial = 0.2 : f32} : (tensor<?xf32>, tensor<?xf32>, tensor<?xf32>, tensor<?xf32>) -> tensor<f32>
  return
}

// -----

func.func @c1_key_too_short(%a: tensor<64xf32>, %b: tensor<63xf32>) {
  // expected-error@+1 {{'bifocal.diff_lambda' op expects 'key1' of shape 64 (the size of 'query0'), but got 63}}
  %y = bifocal.diff_lambda %a, %a, %a, %b {initial = 0.2 : f32} : (tensor<64xf32>, tensor<64xf32>, tensor<64xf32>, tensor<63xf32>) -> tensor<f32>
  return
}
