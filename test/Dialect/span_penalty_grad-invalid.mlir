// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_unknown_heads(%g: tensor<f32>, %n: tensor<f32>) {
  // expected-error@+1 {{'bifocal.span_penalty_grad' op expects 'span_grad' of shape [heads] or [heads, 1, 1], but got ?}}
  %d = bifocal.span_penalty_grad %n penalty_grad %g {factor = 0.25 : f32, span_unit = 64 : i64} : (tensor<f32>, tensor<f32>) -> tensor<?xf32>
  return
}

// -----

func.func @c2_negative(%g: tensor<f32>, %n: tensor<f32>) {
  // expected-error@+1 {{'bifocal.span_penalty_grad' op expects factor >= 0, but got -2.500000e-01}}
  %d = bifocal.span_penalty_grad %n penalty_grad %g {factor = -0.25 : f32, span_unit = 64 : i64} : (tensor<f32>, tensor<f32>) -> tensor<8xf32>
  return
}

// -----

func.func @c3_no_steps(%g: tensor<f32>, %n: tensor<f32>) {
  // expected-error@+1 {{'bifocal.span_penalty_grad' op expects span_unit >= 1, but got 0}}
  %d = bifocal.span_penalty_grad %n penalty_grad %g {factor = 0.25 : f32, span_unit = 0 : i64} : (tensor<f32>, tensor<f32>) -> tensor<8xf32>
  return
}
