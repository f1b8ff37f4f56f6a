// RUN: not bifocal-opt %s --bifocal-optimize 2>&1 | FileCheck %s

// A phase refuses what another phase has not finished, before it changes anything.

// CHECK: error: 'func.func' op expects the phase 'differentiate' to have replaced '@loss'
// CHECK-NOT: error:
func.func @loss(%x: tensor<f32> {bifocal.name = "x"}) -> (tensor<f32> {bifocal.name = "loss"}) {
  return %x : tensor<f32>
}
