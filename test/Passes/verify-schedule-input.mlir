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

// -----

func.func @accepts_narrow_rows(%x: tensor<?x4xbf16> {bifocal.dims = ["N", ""]}) -> tensor<?x4xbf16> {
  %y = bifocal.relu %x : tensor<?x4xbf16>
  return %y : tensor<?x4xbf16>
}

// -----

func.func @accepts_narrow_products(%x: tensor<?x4xbf16> {bifocal.dims = ["N", ""]}, %w: tensor<3x4xf32>) -> tensor<?x3xf32> {
  %y = bifocal.linear %x, %w : (tensor<?x4xbf16>, tensor<3x4xf32>) -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}

// -----

func.func @two_narrow_types(%x: tensor<?x4xbf16> {bifocal.dims = ["N", ""]}, %w: tensor<3x4xf16>) -> tensor<?x3xf32> {
  // expected-error@+1 {{expects one type of 16 bits, but got 'bf16' and 'f16'}}
  %y = bifocal.linear %x, %w : (tensor<?x4xbf16>, tensor<3x4xf16>) -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}

// -----

func.func @narrow_sum_over_windows(%x: tensor<?x4xbf16> {bifocal.dims = ["N", ""]}, %w: tensor<9x4xf32>,
                                   %t: tensor<?xi32> {bifocal.dims = ["N"]}) -> tensor<9x4xbf16> {
  // expected-error@+1 {{expects f32, but got 'tensor<9x4xbf16>'}}
  %l, %n, %c, %g:2 = bifocal.projected_cross_entropy %x, %w, %t {ignore_index = 1 : i32}
      : (tensor<?x4xbf16>, tensor<9x4xf32>, tensor<?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>, tensor<?x4xbf16>, tensor<9x4xbf16>)
  return %g#1 : tensor<9x4xbf16>
}

// -----

bifocal.param @w : tensor<4xf16> init {kind = "zeros"}

func.func @narrow_parameter(%x: tensor<?x4xf16> {bifocal.dims = ["N", ""]}) -> tensor<?x4xf16> {
  // expected-error@+1 {{expects f32, but got 'tensor<4xf16>'}}
  %w = bifocal.param_ref @w : tensor<4xf16>
  %y = bifocal.add_bias %x, %w : (tensor<?x4xf16>, tensor<4xf16>) -> tensor<?x4xf16>
  return %y : tensor<?x4xf16>
}
