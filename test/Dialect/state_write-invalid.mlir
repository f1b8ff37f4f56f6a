// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

bifocal.state @keys : tensor<?x?x8xf32> dims ["P", "R", ""]
bifocal.state @values : tensor<?x?x8xf32> dims ["P", "R", ""]
func.func @c1_no_such_state(%k: tensor<2x6x8xf32>) {
  // expected-error@+1 {{'bifocal.state_write' op expects the name of a 'bifocal.state', but there is none named 'v'}}
  bifocal.state_write %k into @v : tensor<2x6x8xf32>
  return
}

// -----

bifocal.state @keys : tensor<?x?x8xf32> dims ["P", "R", ""]
bifocal.state @values : tensor<?x?x8xf32> dims ["P", "R", ""]
func.func @c2_other_channels(%k: tensor<2x6x16xf32>) {
  // expected-error@+1 {{'bifocal.state_write' op expects 'state' to name a state of shape 2x6x16 (the shape of 'value'), but 'keys' has ?x?x8}}
  bifocal.state_write %k into @keys : tensor<2x6x16xf32>
  return
}

// -----

bifocal.state @keys : tensor<?x?x8xf32> dims ["P", "R", ""]
bifocal.state @values : tensor<?x?x8xf32> dims ["P", "R", ""]
func.func @c2_other_type(%k: tensor<2x6x8xbf16>) {
  // expected-error@+1 {{'bifocal.state_write' op expects 'state' to name a state of 'bf16', but 'keys' holds 'f32'}}
  bifocal.state_write %k into @keys : tensor<2x6x8xbf16>
  return
}
