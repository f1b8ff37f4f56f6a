// RUN: bifocal-opt %s --canonicalize | FileCheck %s

// What relu left is not negative.

// CHECK-LABEL: func @folds_relu_of_relu(
// CHECK-COUNT-1:  bifocal.relu
// CHECK-NOT:     bifocal.relu
func.func @folds_relu_of_relu(%x: tensor<?x?x512xf32>) -> tensor<?x?x512xf32> {
  %0 = bifocal.relu %x : tensor<?x?x512xf32>
  %y = bifocal.relu %0 : tensor<?x?x512xf32>
  return %y : tensor<?x?x512xf32>
}

// So is what a linear with that activation yields.

// CHECK-LABEL: func @folds_relu_of_linear(
// CHECK:         bifocal.linear
// CHECK-NOT:     bifocal.relu
func.func @folds_relu_of_linear(%x: tensor<?x?x512xf32>, %w: tensor<512x512xf32>) -> tensor<?x?x512xf32> {
  %0 = bifocal.linear %x, %w activation relu : (tensor<?x?x512xf32>, tensor<512x512xf32>) -> tensor<?x?x512xf32>
  %y = bifocal.relu %0 : tensor<?x?x512xf32>
  return %y : tensor<?x?x512xf32>
}

// The preactivation of that linear may be negative.

// CHECK-LABEL: func @keeps_relu_of_preactivation(
// CHECK:         bifocal.relu
func.func @keeps_relu_of_preactivation(%x: tensor<?x?x512xf32>, %w: tensor<512x512xf32>) -> tensor<?x?x512xf32> {
  %0, %1 = bifocal.linear %x, %w activation relu : (tensor<?x?x512xf32>, tensor<512x512xf32>) -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>)
  %y = bifocal.relu %1 : tensor<?x?x512xf32>
  return %y : tensor<?x?x512xf32>
}
