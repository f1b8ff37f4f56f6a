// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_more_than_heads(%s: tensor<8x2xf32>, %n: tensor<f32>) {
  // expected-error@+1 {{'bifocal.span_penalty' op expects 'span' of shape [heads] or [heads, 1, 1], but got 8x2}}
  %p, %z = bifocal.span_penalty %s, %n {factor = 0.25 : f32, span_unit = 64 : i64} : (tensor<8x2xf32>, tensor<f32>) -> (tensor<f32>, tensor<8xf32>)
  return
}

// -----

func.func @c1_other_sizes(%s: tensor<8xf32>, %n: tensor<f32>) {
  // expected-error@+1 {{'bifocal.span_penalty' op expects 'sizes' of shape 8 (the heads of 'span'), but got 7}}
  %p, %z = bifocal.span_penalty %s, %n {factor = 0.25 : f32, span_unit = 64 : i64} : (tensor<8xf32>, tensor<f32>) -> (tensor<f32>, tensor<7xf32>)
  return
}

// -----

func.func @c2_negative(%s: tensor<8xf32>, %n: tensor<f32>) {
  // expected-error@+1 {{'bifocal.span_penalty' op expects factor >= 0, but got -2.500000e-01}}
  %p, %z = bifocal.span_penalty %s, %n {factor = -0.25 : f32, span_unit = 64 : i64} : (tensor<8xf32>, tensor<f32>) -> (tensor<f32>, tensor<8xf32>)
  return
}

// -----

func.func @c3_no_steps(%s: tensor<8xf32>, %n: tensor<f32>) {
  // expected-error@+1 {{'bifocal.span_penalty' op expects span_unit >= 1, but got 0}}
  %p, %z = bifocal.span_penalty %s, %n {factor = 0.25 : f32, span_unit = 0 : i64} : (tensor<8xf32>, tensor<f32>) -> (tensor<f32>, tensor<8xf32>)
  return
}
