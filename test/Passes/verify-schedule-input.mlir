// RUN: bifocal-opt %s --split-input-file --verify-diagnostics --bifocal-verify-schedule-input

func.func @accepts_entry_points(%x: tensor<?x4xf32> {bifocal.dims = ["N", ""]}) -> tensor<?x4xf32> {
  %y = bifocal.relu %x : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// expected-error@+1 {{expects a name in 'bifocal.dims' for every dynamic axis, but axis 0 of argument 0 has none}}
func.func @unnamed_axis(%x: tensor<?x4xf32> {bifocal.dims = ["", ""]}) {
  return
}

// -----

// expected-error@+1 {{expects a name in 'bifocal.dims' for every dynamic axis, but axis 0 of argument 0 has none}}
func.func @no_names(%x: tensor<?x4xf32>) {
  return
}

// -----

func.func @foreign_op() -> tensor<f32> {
  // expected-error@+1 {{expects only bifocal ops in an entry point}}
  %one = arith.constant dense<1.0> : tensor<f32>
  return %one : tensor<f32>
}
