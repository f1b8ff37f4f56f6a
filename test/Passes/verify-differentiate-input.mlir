// RUN: bifocal-opt %s --split-input-file --verify-diagnostics --bifocal-verify-differentiate-input

func.func @accepts_named_functions(%x: tensor<?x4xf32> {bifocal.name = "x", bifocal.dims = ["N", ""]}) -> tensor<?x4xf32> {
  return %x : tensor<?x4xf32>
}

// -----

// expected-error@+1 {{expects one entry of 'bifocal.dims' per axis, but argument 0 has rank 2 and 1 entries}}
func.func @dims_of_another_rank(%x: tensor<?x4xf32> {bifocal.name = "x", bifocal.dims = ["N"]}) {
  return
}

// -----

// expected-error@+1 {{expects strings in 'bifocal.dims', "" for a static axis, but argument 0 has unit}}
func.func @dims_without_a_name(%x: tensor<?x4xf32> {bifocal.dims = [unit, ""]}) {
  return
}

// -----

// The axis is static, but the entry is none that a later pass could read.
// expected-error@+1 {{expects strings in 'bifocal.dims', "" for a static axis, but result 0 has 4}}
func.func @dims_as_numbers(%x: tensor<?x4xf32>) -> (tensor<?x4xf32> {bifocal.dims = ["N", 4]}) {
  return %x : tensor<?x4xf32>
}

// -----

// expected-error@+1 {{expects an array of strings in 'bifocal.dims', but argument 0 has "N"}}
func.func @dims_as_text(%x: tensor<?x4xf32> {bifocal.dims = "N"}) {
  return
}

// -----

// expected-error@+1 {{expects tensors, but argument 0 is 'i32'}}
func.func @scalar_argument(%x: i32) {
  return
}

// -----


// expected-error@+1 {{expects the dictionary 'bifocal.train'}}
func.func @loss() {
  return
}

// -----

// expected-error@+1 {{expects the f32 setting 'beta2' in 'bifocal.train'}}
func.func @loss() attributes {bifocal.train = {optimizer = "adam", beta1 = 0.9 : f32}} {
  return
}

// -----

// expected-error@+1 {{expects a result tensor<f32> with the 'bifocal.name' "count"}}
func.func @loss(%x: tensor<f32>) -> (tensor<f32> {bifocal.name = "loss"})
    attributes {bifocal.train = {optimizer = "adam", beta1 = 0.9 : f32, beta2 = 0.98 : f32, epsilon = 1.0e-8 : f32, weight_decay = 0.1 : f32}} {
  return %x : tensor<f32>
}
