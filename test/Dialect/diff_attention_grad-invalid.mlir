// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_no_heads(%g: tensor<2x6x8xf32>, %q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>, %l: tensor<f32>, %lse: tensor<2x4x6xf32>) {
  // expected-error@+1 {{'bifocal.diff_attention_grad' op expects heads >= 1, but got 0}}
  %dq, %dk, %dv, %dl = bifocal.diff_attention_grad %g, %q, %k, %v lambda %l lse %lse {heads = 0 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<f32>, tensor<2x4x6xf32>) -> (tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<f32>)
  return
}

// -----

func.func @c2_key_of_other_batch(%g: tensor<2x6x8xf32>, %q: tensor<2x6x8xf32>, %k: tensor<3x9x8xf32>, %v: tensor<2x9x8xf32>, %l: tensor<f32>, %lse: tensor<2x4x6xf32>) {
  // expected-error@+1 {{'bifocal.diff_attention_grad' op expects 'key' of shape 2x9x8 (batch and channels of 'query'), but got 3x9x8}}
  %dq, %dk, %dv, %dl = bifocal.diff_attention_grad %g, %q, %k, %v lambda %l lse %lse {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<3x9x8xf32>, tensor<2x9x8xf32>, tensor<f32>, tensor<2x4x6xf32>) -> (tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<f32>)
  return
}

// -----

func.func @c3_mask_of_the_queries(%g: tensor<2x6x8xf32>, %q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>, %l: tensor<f32>, %lse: tensor<2x4x6xf32>, %m: tensor<2x6xi1>) {
  // expected-error@+1 {{'bifocal.diff_attention_grad' op expects 'mask' of shape 2x9 (batch and steps of 'key'), but got 2x6}}
  %dq, %dk, %dv, %dl = bifocal.diff_attention_grad %g, %q, %k, %v lambda %l lse %lse mask %m {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<f32>, tensor<2x4x6xf32>, tensor<2x6xi1>) -> (tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<f32>)
  return
}

// -----

func.func @c4_causal_over_other_steps(%g: tensor<2x6x8xf32>, %q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>, %l: tensor<f32>, %lse: tensor<2x4x6xf32>) {
  // expected-error@+1 {{'bifocal.diff_attention_grad' op expects as many queries as keys where 'causal' stands, but got 6 queries and 9 keys}}
  %dq, %dk, %dv, %dl = bifocal.diff_attention_grad %g, %q, %k, %v lambda %l lse %lse causal {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<f32>, tensor<2x4x6xf32>) -> (tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<f32>)
  return
}

// -----

func.func @c5_rate_without_rng(%g: tensor<2x6x8xf32>, %q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>, %l: tensor<f32>, %lse: tensor<2x4x6xf32>) {
  // expected-error@+1 {{'bifocal.diff_attention_grad' op expects 'rng' where the drop rate is above 0, but got a rate of 5.000000e-01 and no 'rng'}}
  %dq, %dk, %dv, %dl = bifocal.diff_attention_grad %g, %q, %k, %v lambda %l lse %lse {drop_rate = 0.5 : f32, heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<f32>, tensor<2x4x6xf32>) -> (tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<f32>)
  return
}

// -----

func.func @c6_output_grad_of_the_keys(%g: tensor<2x9x8xf32>, %q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>, %l: tensor<f32>, %lse: tensor<2x4x6xf32>) {
  // expected-error@+1 {{'bifocal.diff_attention_grad' op expects 'output_grad' of shape 2x6x8 (batch and steps of 'query', heads times the channels of a value), but got 2x9x8}}
  %dq, %dk, %dv, %dl = bifocal.diff_attention_grad %g, %q, %k, %v lambda %l lse %lse {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x9x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<f32>, tensor<2x4x6xf32>) -> (tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<f32>)
  return
}

// -----

func.func @c6_log_sums_of_heads(%g: tensor<2x6x8xf32>, %q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>, %l: tensor<f32>, %lse: tensor<2x2x6xf32>) {
  // expected-error@+1 {{'bifocal.diff_attention_grad' op expects 'lse' of shape 2x4x6 (batch of 'query', maps of all heads, steps of 'query'), but got 2x2x6}}
  %dq, %dk, %dv, %dl = bifocal.diff_attention_grad %g, %q, %k, %v lambda %l lse %lse {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<f32>, tensor<2x2x6xf32>) -> (tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<f32>)
  return
}

// -----

func.func @c7_query_grad_of_the_keys(%g: tensor<2x6x8xf32>, %q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>, %l: tensor<f32>, %lse: tensor<2x4x6xf32>) {
  // expected-error@+1 {{'bifocal.diff_attention_grad' op expects 'query_grad' of shape 2x6x8 (the shape of 'query'), but got 2x9x8}}
  %dq, %dk, %dv, %dl = bifocal.diff_attention_grad %g, %q, %k, %v lambda %l lse %lse {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<f32>, tensor<2x4x6xf32>) -> (tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<f32>)
  return
}

// -----

func.func @c7_key_grad_of_the_queries(%g: tensor<2x6x8xf32>, %q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>, %l: tensor<f32>, %lse: tensor<2x4x6xf32>) {
  // expected-error@+1 {{'bifocal.diff_attention_grad' op expects 'key_grad' of shape 2x9x8 (the shape of 'key'), but got 2x6x8}}
  %dq, %dk, %dv, %dl = bifocal.diff_attention_grad %g, %q, %k, %v lambda %l lse %lse {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<f32>, tensor<2x4x6xf32>) -> (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<f32>)
  return
}

// -----

func.func @c7_value_grad_of_the_queries(%g: tensor<2x6x8xf32>, %q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>, %l: tensor<f32>, %lse: tensor<2x4x6xf32>) {
  // expected-error@+1 {{'bifocal.diff_attention_grad' op expects 'value_grad' of shape 2x9x8 (the shape of 'value'), but got 2x6x8}}
  %dq, %dk, %dv, %dl = bifocal.diff_attention_grad %g, %q, %k, %v lambda %l lse %lse {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<f32>, tensor<2x4x6xf32>) -> (tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x6x8xf32>, tensor<f32>)
  return
}

// -----

func.func @c8_cap_that_is_no_number(%g: tensor<?x?x512xf32>, %q: tensor<?x?x512xf32>, %k: tensor<?x?x512xf32>, %v: tensor<?x?x512xf32>, %l: tensor<f32>, %lse: tensor<?x8x?xf32>) {
  // expected-error@+1 {{'bifocal.diff_attention_grad' op expects 0 or a normal number above it as soft_cap, but got nan}}
  %dq, %dk, %dv, %dl = bifocal.diff_attention_grad %g, %q, %k, %v lambda %l lse %lse causal {heads = 4 : i64, scale = 1.250000e-01 : f32, soft_cap = 0x7FC00000 : f32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<f32>, tensor<?x8x?xf32>) -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<f32>)
  return
}
