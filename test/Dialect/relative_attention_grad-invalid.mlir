// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c6_output_grad(%g: tensor<2x6x4xf32>, %q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %r: tensor<7x8xf32>, %y: tensor<2x6x8xf32>, %lse: tensor<2x2x6xf32>) {
  // expected-error@+1 {{'bifocal.relative_attention_grad' op expects 'output_grad' of shape 2x6x8 (batch and steps of 'query', heads times the channels of a value), but got 2x6x4}}
  %dq, %dp, %dk, %dv, %dr = bifocal.relative_attention_grad %g, %q, %q, %k, %k, %r, %y, %lse {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x4xf32>, tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>, tensor<2x6x8xf32>, tensor<2x2x6xf32>) -> (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>)
  return
}

// -----

func.func @c6_output(%g: tensor<2x6x8xf32>, %q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %r: tensor<7x8xf32>, %y: tensor<2x6x4xf32>, %lse: tensor<2x2x6xf32>) {
  // expected-error@+1 {{'bifocal.relative_attention_grad' op expects 'output' of shape 2x6x8 (batch and steps of 'query', heads times the channels of a value), but got 2x6x4}}
  %dq, %dp, %dk, %dv, %dr = bifocal.relative_attention_grad %g, %q, %q, %k, %k, %r, %y, %lse {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>, tensor<2x6x4xf32>, tensor<2x2x6xf32>) -> (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>)
  return
}

// -----

func.func @c6_lse(%g: tensor<2x6x8xf32>, %q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %r: tensor<7x8xf32>, %y: tensor<2x6x8xf32>, %lse: tensor<2x6x2xf32>) {
  // expected-error@+1 {{'bifocal.relative_attention_grad' op expects 'lse' of shape 2x2x6 (batch of 'query', heads, steps of 'query'), but got 2x6x2}}
  %dq, %dp, %dk, %dv, %dr = bifocal.relative_attention_grad %g, %q, %q, %k, %k, %r, %y, %lse {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>, tensor<2x6x8xf32>, tensor<2x6x2xf32>) -> (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>)
  return
}

// -----

func.func @c7_query_grad(%g: tensor<2x6x8xf32>, %q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %r: tensor<7x8xf32>, %y: tensor<2x6x8xf32>, %lse: tensor<2x2x6xf32>) {
  // expected-error@+1 {{'bifocal.relative_attention_grad' op expects 'query_grad' of shape 2x6x8 (the shape of 'query'), but got 2x9x8}}
  %dq, %dp, %dk, %dv, %dr = bifocal.relative_attention_grad %g, %q, %q, %k, %k, %r, %y, %lse {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>, tensor<2x6x8xf32>, tensor<2x2x6xf32>) -> (tensor<2x9x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>)
  return
}

// -----

func.func @c7_position_query_grad(%g: tensor<2x6x8xf32>, %q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %r: tensor<7x8xf32>, %y: tensor<2x6x8xf32>, %lse: tensor<2x2x6xf32>) {
  // expected-error@+1 {{'bifocal.relative_attention_grad' op expects 'position_query_grad' of shape 2x6x8 (the shape of 'query'), but got 2x9x8}}
  %dq, %dp, %dk, %dv, %dr = bifocal.relative_attention_grad %g, %q, %q, %k, %k, %r, %y, %lse {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>, tensor<2x6x8xf32>, tensor<2x2x6xf32>) -> (tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>)
  return
}

// -----

func.func @c7_key_grad(%g: tensor<2x6x8xf32>, %q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %r: tensor<7x8xf32>, %y: tensor<2x6x8xf32>, %lse: tensor<2x2x6xf32>) {
  // expected-error@+1 {{'bifocal.relative_attention_grad' op expects 'key_grad' of shape 2x9x8 (the shape of 'key'), but got 2x6x8}}
  %dq, %dp, %dk, %dv, %dr = bifocal.relative_attention_grad %g, %q, %q, %k, %k, %r, %y, %lse {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>, tensor<2x6x8xf32>, tensor<2x2x6xf32>) -> (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>)
  return
}

// -----

func.func @c7_value_grad(%g: tensor<2x6x8xf32>, %q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %r: tensor<7x8xf32>, %y: tensor<2x6x8xf32>, %lse: tensor<2x2x6xf32>) {
  // expected-error@+1 {{'bifocal.relative_attention_grad' op expects 'value_grad' of shape 2x9x8 (the shape of 'value'), but got 2x6x8}}
  %dq, %dp, %dk, %dv, %dr = bifocal.relative_attention_grad %g, %q, %q, %k, %k, %r, %y, %lse {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>, tensor<2x6x8xf32>, tensor<2x2x6xf32>) -> (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x6x8xf32>, tensor<7x8xf32>)
  return
}

// -----

func.func @c7_positions_grad(%g: tensor<2x6x8xf32>, %q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %r: tensor<7x8xf32>, %y: tensor<2x6x8xf32>, %lse: tensor<2x2x6xf32>) {
  // expected-error@+1 {{'bifocal.relative_attention_grad' op expects 'positions_grad' of shape 7x8 (the shape of 'positions'), but got 6x8}}
  %dq, %dp, %dk, %dv, %dr = bifocal.relative_attention_grad %g, %q, %q, %k, %k, %r, %y, %lse {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>, tensor<2x6x8xf32>, tensor<2x2x6xf32>) -> (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<6x8xf32>)
  return
}

// -----

func.func @c7_no_span_grad(%g: tensor<2x6x8xf32>, %q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %r: tensor<7x8xf32>, %y: tensor<2x6x8xf32>, %lse: tensor<2x2x6xf32>, %z: tensor<2xf32>) {
  // expected-error@+1 {{'bifocal.relative_attention_grad' op expects a gradient of 'span', but got none}}
  %dq, %dp, %dk, %dv, %dr = bifocal.relative_attention_grad %g, %q, %q, %k, %k, %r, %y, %lse span %z {heads = 2 : i64, scale = 0.5 : f32, span_unit = 2 : i64, ramp = 1 : i64} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>, tensor<2x6x8xf32>, tensor<2x2x6xf32>, tensor<2xf32>) -> (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>)
  return
}

// -----

func.func @c7_span_grad_of_nothing(%g: tensor<2x6x8xf32>, %q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %r: tensor<7x8xf32>, %y: tensor<2x6x8xf32>, %lse: tensor<2x2x6xf32>) {
  // expected-error@+1 {{'bifocal.relative_attention_grad' op expects no gradient of a 'span' that is not there, but got one}}
  %dq, %dp, %dk, %dv, %dr, %dz = bifocal.relative_attention_grad %g, %q, %q, %k, %k, %r, %y, %lse {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>, tensor<2x6x8xf32>, tensor<2x2x6xf32>) -> (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>, tensor<2xf32>)
  return
}

// -----

func.func @c7_span_grad(%g: tensor<2x6x8xf32>, %q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %r: tensor<7x8xf32>, %y: tensor<2x6x8xf32>, %lse: tensor<2x2x6xf32>, %z: tensor<2xf32>) {
  // expected-error@+1 {{'bifocal.relative_attention_grad' op expects 'span_grad' of shape 2 (the shape of 'span'), but got 2x1}}
  %dq, %dp, %dk, %dv, %dr, %dz = bifocal.relative_attention_grad %g, %q, %q, %k, %k, %r, %y, %lse span %z {heads = 2 : i64, scale = 0.5 : f32, span_unit = 2 : i64, ramp = 1 : i64} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>, tensor<2x6x8xf32>, tensor<2x2x6xf32>, tensor<2xf32>) -> (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>, tensor<2x1xf32>)
  return
}

// -----

func.func @c8_cap_that_is_no_number(%g: tensor<?x?x512xf32>, %q: tensor<?x?x512xf32>, %k: tensor<?x?x512xf32>, %r: tensor<?x512xf32>, %lse: tensor<?x8x?xf32>) {
  // expected-error@+1 {{'bifocal.relative_attention_grad' op expects 0 or a normal number above it as soft_cap, but got nan}}
  %dq, %dp, %dk, %dv, %dr = bifocal.relative_attention_grad %g, %q, %q, %k, %k, %r, %g, %lse {heads = 8 : i64, scale = 1.250000e-01 : f32, soft_cap = 0x7FC00000 : f32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x512xf32>, tensor<?x?x512xf32>, tensor<?x8x?xf32>) -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x512xf32>)
  return
}
