// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_no_heads(%q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>) {
  // expected-error@+1 {{'bifocal.attention' op expects heads >= 1, but got 0}}
  %y, %lse = bifocal.attention %q, %k, %v {heads = 0 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>) -> (tensor<2x6x8xf32>, tensor<2x2x6xf32>)
  return
}

// -----

func.func @c1_heads_do_not_divide(%q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>) {
  // expected-error@+1 {{'bifocal.attention' op expects heads that divide the channels of 'query', but got 3 heads and 8 channels}}
  %y, %lse = bifocal.attention %q, %k, %v {heads = 3 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>) -> (tensor<2x6x8xf32>, tensor<2x2x6xf32>)
  return
}

// -----

func.func @c2_key_of_other_batch(%q: tensor<2x6x8xf32>, %k: tensor<3x9x8xf32>, %v: tensor<3x9x8xf32>) {
  // expected-error@+1 {{'bifocal.attention' op expects 'key' of shape 2x9x8 (batch and channels of 'query'), but got 3x9x8}}
  %y, %lse = bifocal.attention %q, %k, %v {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<3x9x8xf32>, tensor<3x9x8xf32>) -> (tensor<2x6x8xf32>, tensor<2x2x6xf32>)
  return
}

// -----

func.func @c2_value_of_other_steps(%q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x7x8xf32>) {
  // expected-error@+1 {{'bifocal.attention' op expects 'value' of shape 2x9x8 (batch and steps of 'key'), but got 2x7x8}}
  %y, %lse = bifocal.attention %q, %k, %v {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x7x8xf32>) -> (tensor<2x6x8xf32>, tensor<2x2x6xf32>)
  return
}

// -----

func.func @c3_mask_of_the_queries(%q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>, %m: tensor<2x6xi1>) {
  // expected-error@+1 {{'bifocal.attention' op expects 'mask' of shape 2x9 (batch and steps of 'key'), but got 2x6}}
  %y, %lse = bifocal.attention %q, %k, %v mask %m {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<2x6xi1>) -> (tensor<2x6x8xf32>, tensor<2x2x6xf32>)
  return
}

// -----

func.func @c4_causal_over_other_steps(%q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>) {
  // expected-error@+1 {{'bifocal.attention' op expects as many queries as keys where 'causal' stands, but got 6 queries and 9 keys}}
  %y, %lse = bifocal.attention %q, %k, %v causal {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>) -> (tensor<2x6x8xf32>, tensor<2x2x6xf32>)
  return
}

// -----

func.func @c5_rate_without_rng(%q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>) {
  // expected-error@+1 {{'bifocal.attention' op expects 'rng' where the drop rate is above 0, but got a rate of 5.000000e-01 and no 'rng'}}
  %y, %lse = bifocal.attention %q, %k, %v {drop_rate = 0.5 : f32, heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>) -> (tensor<2x6x8xf32>, tensor<2x2x6xf32>)
  return
}

// -----

func.func @c6_output_of_the_keys(%q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>) {
  // expected-error@+1 {{'bifocal.attention' op expects 'output' of shape 2x6x8 (batch and steps of 'query', heads times the channels of a value), but got 2x9x8}}
  %y, %lse = bifocal.attention %q, %k, %v {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>) -> (tensor<2x9x8xf32>, tensor<2x2x6xf32>)
  return
}

// -----

func.func @c7_log_sums_without_heads(%q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>) {
  // expected-error@+1 {{'bifocal.attention' op expects 'lse' of shape 2x2x6 (batch of 'query', heads, steps of 'query'), but got 2x8x6}}
  %y, %lse = bifocal.attention %q, %k, %v {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>) -> (tensor<2x6x8xf32>, tensor<2x8x6xf32>)
  return
}

// -----

func.func @c1_kv_heads_do_not_divide(%q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>) {
  // expected-error@+1 {{'bifocal.attention' op expects kv_heads that divide the heads, but got 3 kv_heads and 4 heads}}
  %y, %lse = bifocal.attention %q, %k, %v {heads = 4 : i64, kv_heads = 3 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>) -> (tensor<2x6x8xf32>, tensor<2x4x6xf32>)
  return
}

// -----

func.func @c2_key_of_all_heads(%q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>) {
  // expected-error@+1 {{'bifocal.attention' op expects 'key' of shape 2x9x4 (batch of 'query', its channels of kv_heads), but got 2x9x8}}
  %y, %lse = bifocal.attention %q, %k, %v {heads = 4 : i64, kv_heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>) -> (tensor<2x6x8xf32>, tensor<2x4x6xf32>)
  return
}

// -----

func.func @c2_value_of_a_part(%q: tensor<2x6x8xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x3xf32>) {
  // expected-error@+1 {{'bifocal.attention' op expects heads that divide the channels of 'value', but got 2 heads and 3 channels}}
  %y, %lse = bifocal.attention %q, %k, %v {heads = 4 : i64, kv_heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x9x4xf32>, tensor<2x9x3xf32>) -> (tensor<2x6x6xf32>, tensor<2x4x6xf32>)
  return
}

// -----

func.func @c8_cap_below_zero(%q: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>) {
  // expected-error@+1 {{'bifocal.attention' op expects 0 or a normal number above it as soft_cap, but got -1.0}}
  %y, %lse = bifocal.attention %q, %k, %v {heads = 2 : i64, scale = 0.5 : f32, soft_cap = -1.0 : f32} : (tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>) -> (tensor<2x6x8xf32>, tensor<2x2x6xf32>)
  return
}
