// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @c1_no_heads(%q: tensor<2x6x8xf32>, %p: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>, %r: tensor<7x8xf32>) {
  // expected-error@+1 {{'bifocal.relative_attention' op expects heads >= 1, but got 0}}
  %y, %lse = bifocal.relative_attention %q, %p, %k, %v, %r {heads = 0 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>) -> (tensor<2x6x8xf32>, tensor<2x2x6xf32>)
  return
}

// -----

func.func @c1_heads_do_not_divide(%q: tensor<2x6x8xf32>, %p: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>, %r: tensor<7x8xf32>) {
  // expected-error@+1 {{'bifocal.relative_attention' op expects heads that divide the channels of 'query', but got 3 heads and 8 channels}}
  %y, %lse = bifocal.relative_attention %q, %p, %k, %v, %r {heads = 3 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>) -> (tensor<2x6x8xf32>, tensor<2x2x6xf32>)
  return
}

// -----

func.func @c2_key_of_other_channels(%q: tensor<2x6x8xf32>, %p: tensor<2x6x8xf32>, %k: tensor<2x9x4xf32>, %v: tensor<2x9x8xf32>, %r: tensor<7x8xf32>) {
  // expected-error@+1 {{'bifocal.relative_attention' op expects 'key' of shape 2x9x8 (batch and channels of 'query'), but got 2x9x4}}
  %y, %lse = bifocal.relative_attention %q, %p, %k, %v, %r {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x4xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>) -> (tensor<2x6x8xf32>, tensor<2x2x6xf32>)
  return
}

// -----

func.func @c2_position_query(%q: tensor<2x6x8xf32>, %p: tensor<2x5x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>, %r: tensor<7x8xf32>) {
  // expected-error@+1 {{'bifocal.relative_attention' op expects 'position_query' of shape 2x6x8 (the shape of 'query'), but got 2x5x8}}
  %y, %lse = bifocal.relative_attention %q, %p, %k, %v, %r {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x5x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>) -> (tensor<2x6x8xf32>, tensor<2x2x6xf32>)
  return
}

// -----

func.func @c3_positions(%q: tensor<2x6x8xf32>, %p: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>, %r: tensor<7x6xf32>) {
  // expected-error@+1 {{'bifocal.relative_attention' op expects 'positions' with 8 channels, those of 'query', or 4, those of a head, but got 6}}
  %y, %lse = bifocal.relative_attention %q, %p, %k, %v, %r {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x6xf32>) -> (tensor<2x6x8xf32>, tensor<2x2x6xf32>)
  return
}

// -----

func.func @c4_nearest(%q: tensor<2x6x8xf32>, %p: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>, %r: tensor<7x8xf32>) {
  // expected-error@+1 {{'bifocal.relative_attention' op expects nearest >= 0, but got -1}}
  %y, %lse = bifocal.relative_attention %q, %p, %k, %v, %r {heads = 2 : i64, scale = 0.5 : f32, nearest = -1 : i64} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>) -> (tensor<2x6x8xf32>, tensor<2x2x6xf32>)
  return
}

// -----

func.func @c4_window(%q: tensor<2x6x8xf32>, %p: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>, %r: tensor<7x8xf32>) {
  // expected-error@+1 {{'bifocal.relative_attention' op expects window >= 0, but got -3}}
  %y, %lse = bifocal.relative_attention %q, %p, %k, %v, %r {heads = 2 : i64, scale = 0.5 : f32, window = -3 : i64} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>) -> (tensor<2x6x8xf32>, tensor<2x2x6xf32>)
  return
}

// -----

func.func @c4_span_unit(%q: tensor<2x6x8xf32>, %p: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>, %r: tensor<7x8xf32>, %z: tensor<2xf32>) {
  // expected-error@+1 {{'bifocal.relative_attention' op expects span_unit >= 1, but got 0}}
  %y, %lse = bifocal.relative_attention %q, %p, %k, %v, %r span %z {heads = 2 : i64, scale = 0.5 : f32, ramp = 2 : i64} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>, tensor<2xf32>) -> (tensor<2x6x8xf32>, tensor<2x2x6xf32>)
  return
}

// -----

func.func @c4_ramp(%q: tensor<2x6x8xf32>, %p: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>, %r: tensor<7x8xf32>, %z: tensor<2xf32>) {
  // expected-error@+1 {{'bifocal.relative_attention' op expects ramp >= 1, but got 0}}
  %y, %lse = bifocal.relative_attention %q, %p, %k, %v, %r span %z {heads = 2 : i64, scale = 0.5 : f32, span_unit = 2 : i64} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>, tensor<2xf32>) -> (tensor<2x6x8xf32>, tensor<2x2x6xf32>)
  return
}

// -----

func.func @c4_spans(%q: tensor<2x6x8xf32>, %p: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>, %r: tensor<7x8xf32>, %z: tensor<3xf32>) {
  // expected-error@+1 {{'bifocal.relative_attention' op expects 'span' with one element for each of the 2 heads, but got 'tensor<3xf32>'}}
  %y, %lse = bifocal.relative_attention %q, %p, %k, %v, %r span %z {heads = 2 : i64, scale = 0.5 : f32, span_unit = 2 : i64, ramp = 1 : i64} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>, tensor<3xf32>) -> (tensor<2x6x8xf32>, tensor<2x2x6xf32>)
  return
}

// -----

func.func @c5_no_rng(%q: tensor<2x6x8xf32>, %p: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>, %r: tensor<7x8xf32>) {
  // expected-error@+1 {{'bifocal.relative_attention' op expects 'rng' where the drop rate is above 0, but got a rate of 5.000000e-01 and no 'rng'}}
  %y, %lse = bifocal.relative_attention %q, %p, %k, %v, %r {drop_rate = 0.5 : f32, heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>) -> (tensor<2x6x8xf32>, tensor<2x2x6xf32>)
  return
}

// -----

func.func @c6_output(%q: tensor<2x6x8xf32>, %p: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>, %r: tensor<7x8xf32>) {
  // expected-error@+1 {{'bifocal.relative_attention' op expects 'output' of shape 2x6x8 (batch and steps of 'query', heads times the channels of a value), but got 2x6x4}}
  %y, %lse = bifocal.relative_attention %q, %p, %k, %v, %r {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>) -> (tensor<2x6x4xf32>, tensor<2x2x6xf32>)
  return
}

// -----

func.func @c7_lse(%q: tensor<2x6x8xf32>, %p: tensor<2x6x8xf32>, %k: tensor<2x9x8xf32>, %v: tensor<2x9x8xf32>, %r: tensor<7x8xf32>) {
  // expected-error@+1 {{'bifocal.relative_attention' op expects 'lse' of shape 2x2x6 (batch of 'query', heads, steps of 'query'), but got 2x6x2}}
  %y, %lse = bifocal.relative_attention %q, %p, %k, %v, %r {heads = 2 : i64, scale = 0.5 : f32} : (tensor<2x6x8xf32>, tensor<2x6x8xf32>, tensor<2x9x8xf32>, tensor<2x9x8xf32>, tensor<7x8xf32>) -> (tensor<2x6x8xf32>, tensor<2x6x2xf32>)
  return
}

// -----

func.func @c8_cap_that_is_no_number(%q: tensor<?x?x512xf32>, %k: tensor<?x?x512xf32>, %r: tensor<?x512xf32>) {
  // expected-error@+1 {{'bifocal.relative_attention' op expects 0 or a normal number above it as soft_cap, but got nan}}
  %y, %lse = bifocal.relative_attention %q, %q, %k, %k, %r {heads = 8 : i64, scale = 1.250000e-01 : f32, soft_cap = 0x7FC00000 : f32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x512xf32>) -> (tensor<?x?x512xf32>, tensor<?x8x?xf32>)
  return
}
