// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @types_differ(%x: tensor<2x6x8xf32>) {
  // expected-error@+1 {{'bifocal.relu' op requires the same type for all operands and results}}
  %y = "bifocal.relu"(%x) : (tensor<2x6x8xf32>) -> tensor<2x6x16xf32>
  return
}

// -----

func.func @no_axis(%x: tensor<f32>) {
  // expected-error@+1 {{'bifocal.relu' op operand #0 must be ranked tensor of f32, bf16 or f16 with at least one axis, but got 'tensor<f32>'}}
  %y = bifocal.relu %x : tensor<f32>
  return
}
