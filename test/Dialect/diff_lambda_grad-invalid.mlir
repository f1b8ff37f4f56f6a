// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_key_too_short(%g: tensor<f32>, %a: tensor<64xf32>, %b: tensor<63xf32>) {
  // expected-error@+1 {{'bifocal.diff_lambda_grad' op expects 'key0' of shape 64 (the size of 'query0'), but got 63}}
  %da, %db, %dc, %dd = bifocal.diff_lambda_grad %g, %a, %b, %a, %a : (tensor<f32>, tensor<64xf32>, tensor<63xf32>, tensor<64xf32>, tensor<64xf32>) -> (tensor<64xf32>, tensor<64xf32>, tensor<64xf32>, tensor<64xf32>)
  return
}

// -----

func.func @c1_gradient_too_short(%g: tensor<f32>, %a: tensor<64xf32>) {
  // expected-error@+1 {{'bifocal.diff_lambda_grad' op expects 'query1_grad' of shape 64 (the size of 'query0'), but got 63}}
  %da, %db, %dc, %dd = bifocal.diff_lambda_grad %g, %a, %a, %a, %a : (tensor<f32>, tensor<64xf32>, tensor<64xf32>, tensor<64xf32>, tensor<64xf32>) -> (tensor<64xf32>, tensor<64xf32>, tensor<63xf32>, tensor<64xf32>)
  return
}
