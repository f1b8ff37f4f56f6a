// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

bifocal.state @keys : tensor<?x?x8xf32> dims ["P", "R", ""]
bifocal.state @values : tensor<?x?x8xf32> dims ["P", "R", ""]
func.func @c1_maps_do_not_divide(%q: tensor<5x8xf32>, %k: tensor<5x8xf32>, %v: tensor<5x8xf32>, %l: tensor<f32>, %a: tensor<5x4xi32>, %t: tensor<i32>) {
  // expected-error@+1 {{'bifocal.diff_attention_step' op expects heads that divide the channels of 'query', but got 6 heads and 8 channels}}
  %y = bifocal.diff_attention_step %q, %k, %v lambda %l caches @keys, @values ancestors %a step %t {heads = 3 : i64, scale = 0.5 : f32} : (tensor<5x8xf32>, tensor<5x8xf32>, tensor<5x8xf32>, tensor<f32>, tensor<5x4xi32>, tensor<i32>) -> tensor<5x8xf32>
  return
}

// -----

bifocal.state @keys : tensor<?x?x8xf32> dims ["P", "R", ""]
bifocal.state @values : tensor<?x?x8xf32> dims ["P", "R", ""]
func.func @c1_kv_heads_do_not_divide(%q: tensor<5x8xf32>, %k: tensor<5x8xf32>, %v: tensor<5x8xf32>, %l: tensor<f32>, %a: tensor<5x4xi32>, %t: tensor<i32>) {
  // expected-error@+1 {{'bifocal.diff_attention_step' op expects kv_heads that divide the heads, but got 3 kv_heads and 2 heads}}
  %y = bifocal.diff_attention_step %q, %k, %v lambda %l caches @keys, @values ancestors %a step %t {heads = 2 : i64, kv_heads = 3 : i64, scale = 0.5 : f32} : (tensor<5x8xf32>, tensor<5x8xf32>, tensor<5x8xf32>, tensor<f32>, tensor<5x4xi32>, tensor<i32>) -> tensor<5x8xf32>
  return
}

// -----

bifocal.state @keys : tensor<?x?x8xf32> dims ["P", "R", ""]
bifocal.state @values : tensor<?x?x8xf32> dims ["P", "R", ""]
func.func @c2_key_of_other_rows(%q: tensor<5x8xf32>, %k: tensor<4x8xf32>, %v: tensor<5x8xf32>, %l: tensor<f32>, %a: tensor<5x4xi32>, %t: tensor<i32>) {
  // expected-error@+1 {{'bifocal.diff_attention_step' op expects 'key' of shape 5x8 (the shape of 'query'), but got 4x8}}
  %y = bifocal.diff_attention_step %q, %k, %v lambda %l caches @keys, @values ancestors %a step %t {heads = 2 : i64, scale = 0.5 : f32} : (tensor<5x8xf32>, tensor<4x8xf32>, tensor<5x8xf32>, tensor<f32>, tensor<5x4xi32>, tensor<i32>) -> tensor<5x8xf32>
  return
}

// -----

bifocal.state @keys : tensor<?x?x8xf32> dims ["P", "R", ""]
bifocal.state @values : tensor<?x?x8xf32> dims ["P", "R", ""]
func.func @c2_value_of_other_rows(%q: tensor<5x8xf32>, %k: tensor<5x8xf32>, %v: tensor<4x8xf32>, %l: tensor<f32>, %a: tensor<5x4xi32>, %t: tensor<i32>) {
  // expected-error@+1 {{'bifocal.diff_attention_step' op expects 'value' of shape 5x8 (the rows of 'key'), but got 4x8}}
  %y = bifocal.diff_attention_step %q, %k, %v lambda %l caches @keys, @values ancestors %a step %t {heads = 2 : i64, scale = 0.5 : f32} : (tensor<5x8xf32>, tensor<5x8xf32>, tensor<4x8xf32>, tensor<f32>, tensor<5x4xi32>, tensor<i32>) -> tensor<5x8xf32>
  return
}

// -----

bifocal.state @keys : tensor<?x?x8xf32> dims ["P", "R", ""]
bifocal.state @values : tensor<?x?x8xf32> dims ["P", "R", ""]
func.func @c2_output_of_other_rows(%q: tensor<5x8xf32>, %k: tensor<5x8xf32>, %v: tensor<5x8xf32>, %l: tensor<f32>, %a: tensor<5x4xi32>, %t: tensor<i32>) {
  // expected-error@+1 {{'bifocal.diff_attention_step' op expects 'output' of shape 5x8 (rows of 'query', heads times the channels of a value), but got 4x8}}
  %y = bifocal.diff_attention_step %q, %k, %v lambda %l caches @keys, @values ancestors %a step %t {heads = 2 : i64, scale = 0.5 : f32} : (tensor<5x8xf32>, tensor<5x8xf32>, tensor<5x8xf32>, tensor<f32>, tensor<5x4xi32>, tensor<i32>) -> tensor<4x8xf32>
  return
}

// -----

bifocal.state @keys : tensor<?x?x8xf32> dims ["P", "R", ""]
bifocal.state @values : tensor<?x?x8xf32> dims ["P", "R", ""]
func.func @c3_ancestors_of_other_rows(%q: tensor<5x8xf32>, %k: tensor<5x8xf32>, %v: tensor<5x8xf32>, %l: tensor<f32>, %a: tensor<4x4xi32>, %t: tensor<i32>) {
  // expected-error@+1 {{'bifocal.diff_attention_step' op expects 'ancestors' of shape 5x? (one row per row of 'query'), but got 4x4}}
  %y = bifocal.diff_attention_step %q, %k, %v lambda %l caches @keys, @values ancestors %a step %t {heads = 2 : i64, scale = 0.5 : f32} : (tensor<5x8xf32>, tensor<5x8xf32>, tensor<5x8xf32>, tensor<f32>, tensor<4x4xi32>, tensor<i32>) -> tensor<5x8xf32>
  return
}

// -----

bifocal.state @keys : tensor<?x?x8xf32> dims ["P", "R", ""]
bifocal.state @values : tensor<?x?x8xf32> dims ["P", "R", ""]
func.func @c4_no_such_state(%q: tensor<5x8xf32>, %k: tensor<5x8xf32>, %v: tensor<5x8xf32>, %l: tensor<f32>, %a: tensor<5x4xi32>, %t: tensor<i32>) {
  // expected-error@+1 {{'bifocal.diff_attention_step' op expects the name of a 'bifocal.state', but there is none named 'other'}}
  %y = bifocal.diff_attention_step %q, %k, %v lambda %l caches @other, @values ancestors %a step %t {heads = 2 : i64, scale = 0.5 : f32} : (tensor<5x8xf32>, tensor<5x8xf32>, tensor<5x8xf32>, tensor<f32>, tensor<5x4xi32>, tensor<i32>) -> tensor<5x8xf32>
  return
}

// -----

bifocal.state @keys : tensor<?x?x16xf32> dims ["P", "R", ""]
bifocal.state @values : tensor<?x?x8xf32> dims ["P", "R", ""]
func.func @c4_cache_of_other_channels(%q: tensor<5x8xf32>, %k: tensor<5x8xf32>, %v: tensor<5x8xf32>, %l: tensor<f32>, %a: tensor<5x4xi32>, %t: tensor<i32>) {
  // expected-error@+1 {{'bifocal.diff_attention_step' op expects 'key_cache' to name a state of shape ?x?x8 (steps, rows, channels), but 'keys' has ?x?x16}}
  %y = bifocal.diff_attention_step %q, %k, %v lambda %l caches @keys, @values ancestors %a step %t {heads = 2 : i64, scale = 0.5 : f32} : (tensor<5x8xf32>, tensor<5x8xf32>, tensor<5x8xf32>, tensor<f32>, tensor<5x4xi32>, tensor<i32>) -> tensor<5x8xf32>
  return
}

// -----

bifocal.state @self.key : tensor<?x?x256xf32> dims ["P", "R", ""]
bifocal.state @self.value : tensor<?x?x256xf32> dims ["P", "R", ""]
func.func @c5_cap_that_is_no_number(%q: tensor<?x512xf32>, %k: tensor<?x256xf32>, %v: tensor<?x256xf32>, %l: tensor<f32>, %a: tensor<?x?xi32>, %t: tensor<i32>) {
  // expected-error@+1 {{'bifocal.diff_attention_step' op expects 0 or a normal number above it as soft_cap, but got nan}}
  %y = bifocal.diff_attention_step %q, %k, %v lambda %l caches @self.key, @self.value ancestors %a step %t {heads = 4 : i64, kv_heads = 2 : i64, scale = 1.250000e-01 : f32, soft_cap = 0x7FC00000 : f32} : (tensor<?x512xf32>, tensor<?x256xf32>, tensor<?x256xf32>, tensor<f32>, tensor<?x?xi32>, tensor<i32>) -> tensor<?x512xf32>
  return
}
