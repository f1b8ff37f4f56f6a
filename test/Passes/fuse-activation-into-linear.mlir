// RUN: bifocal-opt %s --split-input-file --verify-diagnostics --bifocal-fuse-activation-into-linear=remarks=true | FileCheck %s

// CHECK-LABEL: func @folds_relu
// CHECK:         %[[Y:.+]] = bifocal.linear {{.*}} activation relu
// CHECK-NOT:     bifocal.relu
// CHECK:         return %[[Y]]
func.func @folds_relu(%x: tensor<?x?x4xf32>, %w: tensor<6x4xf32>, %b: tensor<6xf32>) -> tensor<?x?x6xf32> {
  // expected-remark@+1 {{fused: relu}}
  %a = bifocal.linear %x, %w bias %b : (tensor<?x?x4xf32>, tensor<6x4xf32>, tensor<6xf32>) -> tensor<?x?x6xf32>
  %y = bifocal.relu %a : tensor<?x?x6xf32>
  return %y : tensor<?x?x6xf32>
}

// -----

// CHECK-LABEL: func @folds_glu
// CHECK:         bifocal.linear {{.*}} activation glu : {{.*}} -> tensor<?x?x3xf32>
// CHECK-NOT:     bifocal.glu
func.func @folds_glu(%x: tensor<?x?x4xf32>, %w: tensor<6x4xf32>, %b: tensor<6xf32>) -> tensor<?x?x3xf32> {
  // expected-remark@+1 {{fused: glu}}
  %a = bifocal.linear %x, %w bias %b : (tensor<?x?x4xf32>, tensor<6x4xf32>, tensor<6xf32>) -> tensor<?x?x6xf32>
  %y = bifocal.glu %a : (tensor<?x?x6xf32>) -> tensor<?x?x3xf32>
  return %y : tensor<?x?x3xf32>
}

// -----

// The backward pass of glu reads the sums, so the linear keeps them as its second result.

// CHECK-LABEL: func @folds_glu_and_keeps_sums_for_backward
// CHECK:         %[[Y:.+]], %[[SUMS:.+]] = bifocal.linear {{.*}} activation glu : {{.*}} -> (tensor<?x?x3xf32>, tensor<?x?x6xf32>)
// CHECK:         bifocal.glu_grad %{{.+}}, %[[SUMS]]
func.func @folds_glu_and_keeps_sums_for_backward(%x: tensor<?x?x4xf32>, %w: tensor<6x4xf32>, %dy: tensor<?x?x3xf32>)
    -> (tensor<?x?x3xf32>, tensor<?x?x6xf32>) {
  // expected-remark@+1 {{fused: glu, the sums are kept for backward}}
  %a = bifocal.linear %x, %w : (tensor<?x?x4xf32>, tensor<6x4xf32>) -> tensor<?x?x6xf32>
  %y = bifocal.glu %a : (tensor<?x?x6xf32>) -> tensor<?x?x3xf32>
  %da = bifocal.glu_grad %dy, %a : (tensor<?x?x3xf32>, tensor<?x?x6xf32>) -> tensor<?x?x6xf32>
  return %y, %da : tensor<?x?x3xf32>, tensor<?x?x6xf32>
}

// -----

// The gradient of relu needs its output alone.

// CHECK-LABEL: func @folds_relu_in_training
// CHECK:         %[[Y:.+]] = bifocal.linear {{.*}} activation relu
// CHECK:         bifocal.relu_grad %{{.+}}, %[[Y]]
func.func @folds_relu_in_training(%x: tensor<?x?x4xf32>, %w: tensor<6x4xf32>, %dy: tensor<?x?x6xf32>) -> tensor<?x?x6xf32> {
  // expected-remark@+1 {{fused: relu}}
  %a = bifocal.linear %x, %w : (tensor<?x?x4xf32>, tensor<6x4xf32>) -> tensor<?x?x6xf32>
  %y = bifocal.relu %a : tensor<?x?x6xf32>
  %da = bifocal.relu_grad %dy, %y : tensor<?x?x6xf32>
  return %da : tensor<?x?x6xf32>
}

// -----

// A second reader of the sums needs them as a tensor.

// CHECK-LABEL: func @keeps_relu_with_second_reader_of_the_sums
// CHECK:         bifocal.linear
// CHECK-NOT:     activation
// CHECK:         bifocal.relu
func.func @keeps_relu_with_second_reader_of_the_sums(%x: tensor<?x?x4xf32>, %w: tensor<6x4xf32>)
    -> (tensor<?x?x6xf32>, tensor<?x?x6xf32>) {
  %a = bifocal.linear %x, %w : (tensor<?x?x4xf32>, tensor<6x4xf32>) -> tensor<?x?x6xf32>
  // expected-remark@+1 {{not fused: second reader of the sums: 'func.return' at}}
  %y = bifocal.relu %a : tensor<?x?x6xf32>
  return %a, %y : tensor<?x?x6xf32>, tensor<?x?x6xf32>
}

// -----

// CHECK-LABEL: func @keeps_glu_with_second_reader_of_the_sums
// CHECK-NOT:     activation
// CHECK:         bifocal.glu
func.func @keeps_glu_with_second_reader_of_the_sums(%x: tensor<?x?x4xf32>, %w: tensor<6x4xf32>)
    -> (tensor<?x?x3xf32>, tensor<?x?x6xf32>) {
  %a = bifocal.linear %x, %w : (tensor<?x?x4xf32>, tensor<6x4xf32>) -> tensor<?x?x6xf32>
  // expected-remark@+1 {{not fused: second reader of the sums: 'func.return' at}}
  %y = bifocal.glu %a : (tensor<?x?x6xf32>) -> tensor<?x?x3xf32>
  return %y, %a : tensor<?x?x3xf32>, tensor<?x?x6xf32>
}

// -----

// Dropout follows: a row map holds bias, activation and dropout together.

// CHECK-LABEL: func @keeps_relu_before_another_row_op
// CHECK-NOT:     activation
// CHECK:         bifocal.relu
func.func @keeps_relu_before_another_row_op(%x: tensor<?x?x4xf32>, %w: tensor<6x4xf32>, %rng: tensor<2xi64>) -> tensor<?x?x6xf32> {
  %a = bifocal.linear %x, %w : (tensor<?x?x4xf32>, tensor<6x4xf32>) -> tensor<?x?x6xf32>
  // expected-remark@+1 {{not fused: 'bifocal.dropout' at}}
  %r = bifocal.relu %a : tensor<?x?x6xf32>
  %y = bifocal.dropout %r, %rng {rate = 0.1 : f32, site = 0 : i32} : (tensor<?x?x6xf32>, tensor<2xi64>) -> tensor<?x?x6xf32>
  return %y : tensor<?x?x6xf32>
}

// -----

// CHECK-LABEL: func @keeps_second_activation
// CHECK:         bifocal.linear {{.*}} activation relu
// CHECK:         bifocal.glu
func.func @keeps_second_activation(%x: tensor<?x?x4xf32>, %w: tensor<6x4xf32>) -> tensor<?x?x3xf32> {
  %a = bifocal.linear %x, %w activation relu : (tensor<?x?x4xf32>, tensor<6x4xf32>) -> tensor<?x?x6xf32>
  // expected-remark@+1 {{not fused: the linear has an activation already}}
  %y = bifocal.glu %a : (tensor<?x?x6xf32>) -> tensor<?x?x3xf32>
  return %y : tensor<?x?x3xf32>
}

// -----

// SwiGLU is the same with another gate, forward and backward.

// CHECK-LABEL: func @folds_swiglu
// CHECK:         %[[Y:.+]], %[[SUMS:.+]] = bifocal.linear {{.*}} activation swiglu : {{.*}} -> (tensor<?x?x3xf32>, tensor<?x?x6xf32>)
// CHECK:         bifocal.glu_grad %{{.+}}, %[[SUMS]] gate silu
func.func @folds_swiglu(%x: tensor<?x?x4xf32>, %w: tensor<6x4xf32>, %dy: tensor<?x?x3xf32>)
    -> (tensor<?x?x3xf32>, tensor<?x?x6xf32>) {
  // expected-remark@+1 {{fused: swiglu, the sums are kept for backward}}
  %a = bifocal.linear %x, %w : (tensor<?x?x4xf32>, tensor<6x4xf32>) -> tensor<?x?x6xf32>
  %y = bifocal.glu %a gate silu : (tensor<?x?x6xf32>) -> tensor<?x?x3xf32>
  %da = bifocal.glu_grad %dy, %a gate silu : (tensor<?x?x3xf32>, tensor<?x?x6xf32>) -> tensor<?x?x6xf32>
  return %y, %da : tensor<?x?x3xf32>, tensor<?x?x6xf32>
}
