// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

bifocal.state @keys : tensor<?x?x8xf32> dims ["P", "R", ""]
bifocal.state @values : tensor<?x?x8xf32> dims ["P", "R", ""]
func.func @c1_heads_do_not_divide(%q: tensor<5x8xf32>, %p: tensor<5x8xf32>, %k: tensor<5x8xf32>, %v: tensor<5x8xf32>, %r: tensor<7x8xf32>, %a: tensor<5x4xi32>, %t: tensor<i32>) {
  // expected-error@+1 {{'bifocal.relative_attention_step' op expects heads that divide the channels of 'query', but got 3 heads and 8 channels}}
  %y = bifocal.relative_attention_step %q, %p, %k, %v, %r caches @keys, @values ancestors %a step %t {heads = 3 : i64, scale = 0.5 : f32} : (tensor<5x8xf32>, tensor<5x8xf32>, tensor<5x8xf32>, tensor<5x8xf32>, tensor<7x8xf32>, tensor<5x4xi32>, tensor<i32>) -> tensor<5x8xf32>
  return
}

// -----

bifocal.state @keys : tensor<?x?x8xf32> dims ["P", "R", ""]
bifocal.state @values : tensor<?x?x8xf32> dims ["P", "R", ""]
func.func @c2_key_of_other_rows(%q: tensor<5x8xf32>, %p: tensor<5x8xf32>, %k: tensor<4x8xf32>, %v: tensor<5x8xf32>, %r: tensor<7x8xf32>, %a: tensor<5x4xi32>, %t: tensor<i32>) {
  // expected-error@+1 {{'bifocal.relative_attention_step' op expects 'key' of shape 5x8 (the shape of 'query'), but got 4x8}}
  %y = bifocal.relative_attention_step %q, %p, %k, %v, %r caches @keys, @values ancestors %a step %t {heads = 2 : i64, scale = 0.5 : f32} : (tensor<5x8xf32>, tensor<5x8xf32>, tensor<4x8xf32>, tensor<5x8xf32>, tensor<7x8xf32>, tensor<5x4xi32>, tensor<i32>) -> tensor<5x8xf32>
  return
}

// -----

bifocal.state @keys : tensor<?x?x8xf32> dims ["P", "R", ""]
bifocal.state @values : tensor<?x?x8xf32> dims ["P", "R", ""]
func.func @c2_position_query(%q: tensor<5x8xf32>, %p: tensor<4x8xf32>, %k: tensor<5x8xf32>, %v: tensor<5x8xf32>, %r: tensor<7x8xf32>, %a: tensor<5x4xi32>, %t: tensor<i32>) {
  // expected-error@+1 {{'bifocal.relative_attention_step' op expects 'position_query' of shape 5x8 (the shape of 'query'), but got 4x8}}
  %y = bifocal.relative_attention_step %q, %p, %k, %v, %r caches @keys, @values ancestors %a step %t {heads = 2 : i64, scale = 0.5 : f32} : (tensor<5x8xf32>, tensor<4x8xf32>, tensor<5x8xf32>, tensor<5x8xf32>, tensor<7x8xf32>, tensor<5x4xi32>, tensor<i32>) -> tensor<5x8xf32>
  return
}

// -----

bifocal.state @keys : tensor<?x?x8xf32> dims ["P", "R", ""]
bifocal.state @values : tensor<?x?x8xf32> dims ["P", "R", ""]
func.func @c2_output(%q: tensor<5x8xf32>, %p: tensor<5x8xf32>, %k: tensor<5x8xf32>, %v: tensor<5x8xf32>, %r: tensor<7x8xf32>, %a: tensor<5x4xi32>, %t: tensor<i32>) {
  // expected-error@+1 {{'bifocal.relative_attention_step' op expects 'output' of shape 5x8 (rows of 'query', heads times the channels of a value), but got 5x4}}
  %y = bifocal.relative_attention_step %q, %p, %k, %v, %r caches @keys, @values ancestors %a step %t {heads = 2 : i64, scale = 0.5 : f32} : (tensor<5x8xf32>, tensor<5x8xf32>, tensor<5x8xf32>, tensor<5x8xf32>, tensor<7x8xf32>, tensor<5x4xi32>, tensor<i32>) -> tensor<5x4xf32>
  return
}

// -----

bifocal.state @keys : tensor<?x?x8xf32> dims ["P", "R", ""]
bifocal.state @values : tensor<?x?x8xf32> dims ["P", "R", ""]
func.func @c3_ancestors(%q: tensor<5x8xf32>, %p: tensor<5x8xf32>, %k: tensor<5x8xf32>, %v: tensor<5x8xf32>, %r: tensor<7x8xf32>, %a: tensor<4x4xi32>, %t: tensor<i32>) {
  // expected-error@+1 {{'bifocal.relative_attention_step' op expects 'ancestors' of shape 5x? (one row per row of 'query'), but got 4x4}}
  %y = bifocal.relative_attention_step %q, %p, %k, %v, %r caches @keys, @values ancestors %a step %t {heads = 2 : i64, scale = 0.5 : f32} : (tensor<5x8xf32>, tensor<5x8xf32>, tensor<5x8xf32>, tensor<5x8xf32>, tensor<7x8xf32>, tensor<4x4xi32>, tensor<i32>) -> tensor<5x8xf32>
  return
}

// -----

bifocal.state @keys : tensor<?x?x8xf32> dims ["P", "R", ""]
bifocal.state @values : tensor<?x?x8xf32> dims ["P", "R", ""]
func.func @c5_positions(%q: tensor<5x8xf32>, %p: tensor<5x8xf32>, %k: tensor<5x8xf32>, %v: tensor<5x8xf32>, %r: tensor<7x6xf32>, %a: tensor<5x4xi32>, %t: tensor<i32>) {
  // expected-error@+1 {{'bifocal.relative_attention_step' op expects 'positions' with 8 channels, those of 'query', or 4, those of a head, but got 6}}
  %y = bifocal.relative_attention_step %q, %p, %k, %v, %r caches @keys, @values ancestors %a step %t {heads = 2 : i64, scale = 0.5 : f32} : (tensor<5x8xf32>, tensor<5x8xf32>, tensor<5x8xf32>, tensor<5x8xf32>, tensor<7x6xf32>, tensor<5x4xi32>, tensor<i32>) -> tensor<5x8xf32>
  return
}

// -----

bifocal.state @keys : tensor<?x?x8xf32> dims ["P", "R", ""]
bifocal.state @values : tensor<?x?x8xf32> dims ["P", "R", ""]
func.func @c5_ramp(%q: tensor<5x8xf32>, %p: tensor<5x8xf32>, %k: tensor<5x8xf32>, %v: tensor<5x8xf32>, %r: tensor<7x8xf32>, %a: tensor<5x4xi32>, %t: tensor<i32>, %z: tensor<2xf32>) {
  // expected-error@+1 {{'bifocal.relative_attention_step' op expects ramp >= 1, but got 0}}
  %y = bifocal.relative_attention_step %q, %p, %k, %v, %r span %z caches @keys, @values ancestors %a step %t {heads = 2 : i64, scale = 0.5 : f32, span_unit = 2 : i64} : (tensor<5x8xf32>, tensor<5x8xf32>, tensor<5x8xf32>, tensor<5x8xf32>, tensor<7x8xf32>, tensor<2xf32>, tensor<5x4xi32>, tensor<i32>) -> tensor<5x8xf32>
  return
}

// -----

bifocal.state @self.key : tensor<?x?x512xf32> dims ["P", "R", ""]
bifocal.state @self.value : tensor<?x?x512xf32> dims ["P", "R", ""]
func.func @c6_cap_that_is_no_number(%q: tensor<?x512xf32>, %r: tensor<?x512xf32>, %a: tensor<?x?xi32>, %t: tensor<i32>) {
  // expected-error@+1 {{'bifocal.relative_attention_step' op expects 0 or a normal number above it as soft_cap, but got nan}}
  %y = bifocal.relative_attention_step %q, %q, %q, %q, %r caches @self.key, @self.value ancestors %a step %t {heads = 8 : i64, scale = 1.250000e-01 : f32, soft_cap = 0x7FC00000 : f32, window = 5 : i64} : (tensor<?x512xf32>, tensor<?x512xf32>, tensor<?x512xf32>, tensor<?x512xf32>, tensor<?x512xf32>, tensor<?x?xi32>, tensor<i32>) -> tensor<?x512xf32>
  return
}
