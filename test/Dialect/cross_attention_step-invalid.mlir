// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

bifocal.state @keys : tensor<?x?x8xf32> dims ["B", "S", ""]
bifocal.state @values : tensor<?x?x8xf32> dims ["B", "S", ""]
bifocal.state @mask : tensor<?x?xi1> dims ["B", "S"]
func.func @c1_heads_do_not_divide(%q: tensor<5x8xf32>, %s: tensor<5xi32>) {
  // expected-error@+1 {{'bifocal.cross_attention_step' op expects heads that divide the channels of 'query', but got 3 heads and 8 channels}}
  %y = bifocal.cross_attention_step %q sentences %s states @keys, @values, @mask {heads = 3 : i64, scale = 0.5 : f32} : (tensor<5x8xf32>, tensor<5xi32>) -> tensor<5x8xf32>
  return
}

// -----

bifocal.state @keys : tensor<?x?x8xf32> dims ["B", "S", ""]
bifocal.state @values : tensor<?x?x8xf32> dims ["B", "S", ""]
bifocal.state @mask : tensor<?x?xi1> dims ["B", "S"]
func.func @c2_output_of_other_rows(%q: tensor<5x8xf32>, %s: tensor<5xi32>) {
  // expected-error@+1 {{'bifocal.cross_attention_step' op expects 'output' of shape 5x8 (the shape of 'query'), but got 4x8}}
  %y = bifocal.cross_attention_step %q sentences %s states @keys, @values, @mask {heads = 2 : i64, scale = 0.5 : f32} : (tensor<5x8xf32>, tensor<5xi32>) -> tensor<4x8xf32>
  return
}

// -----

bifocal.state @keys : tensor<?x?x8xf32> dims ["B", "S", ""]
bifocal.state @values : tensor<?x?x8xf32> dims ["B", "S", ""]
bifocal.state @mask : tensor<?x?xi1> dims ["B", "S"]
func.func @c3_sentences_of_other_rows(%q: tensor<5x8xf32>, %s: tensor<4xi32>) {
  // expected-error@+1 {{'bifocal.cross_attention_step' op expects 'sentences' of shape 5 (one per row of 'query'), but got 4}}
  %y = bifocal.cross_attention_step %q sentences %s states @keys, @values, @mask {heads = 2 : i64, scale = 0.5 : f32} : (tensor<5x8xf32>, tensor<4xi32>) -> tensor<5x8xf32>
  return
}

// -----

bifocal.state @keys : tensor<?x?x16xf32> dims ["B", "S", ""]
bifocal.state @values : tensor<?x?x16xf32> dims ["B", "S", ""]
bifocal.state @mask : tensor<?x?xi1> dims ["B", "S"]
func.func @c4_keys_of_other_channels(%q: tensor<5x8xf32>, %s: tensor<5xi32>) {
  // expected-error@+1 {{'bifocal.cross_attention_step' op expects 'keys' to name a state of shape ?x?x8 (sentences, source steps, channels), but 'keys' has ?x?x16}}
  %y = bifocal.cross_attention_step %q sentences %s states @keys, @values, @mask {heads = 2 : i64, scale = 0.5 : f32} : (tensor<5x8xf32>, tensor<5xi32>) -> tensor<5x8xf32>
  return
}

// -----

bifocal.state @keys : tensor<?x?x8xf32> dims ["B", "S", ""]
bifocal.state @values : tensor<?x?x8xf32> dims ["B", "S", ""]
bifocal.state @mask : tensor<?x?xf32> dims ["B", "S"]
func.func @c4_mask_of_floats(%q: tensor<5x8xf32>, %s: tensor<5xi32>) {
  // expected-error@+1 {{'bifocal.cross_attention_step' op expects 'mask' to name a state of 'i1', but 'mask' holds 'f32'}}
  %y = bifocal.cross_attention_step %q sentences %s states @keys, @values, @mask {heads = 2 : i64, scale = 0.5 : f32} : (tensor<5x8xf32>, tensor<5xi32>) -> tensor<5x8xf32>
  return
}

// -----

bifocal.state @cross.key : tensor<?x?x512xf32> dims ["B", "S", ""]
bifocal.state @cross.value : tensor<?x?x512xf32> dims ["B", "S", ""]
bifocal.state @source_mask : tensor<?x?xi1> dims ["B", "S"]
func.func @c5_cap_that_is_no_number(%q: tensor<?x512xf32>, %s: tensor<?xi32>) {
  // expected-error@+1 {{'bifocal.cross_attention_step' op expects 0 or a normal number above it as soft_cap, but got nan}}
  %y = bifocal.cross_attention_step %q sentences %s states @cross.key, @cross.value, @source_mask {heads = 8 : i64, scale = 1.250000e-01 : f32, soft_cap = 0x7FC00000 : f32} : (tensor<?x512xf32>, tensor<?xi32>) -> tensor<?x512xf32>
  return
}
