// RUN: bifocal-opt %s --canonicalize | FileCheck %s

// Nobody reads the sums.

// CHECK-LABEL: func @folds_unread_preactivation(
// CHECK:         bifocal.linear %arg0, %arg1 activation relu : (tensor<?x?x512xf32>, tensor<512x512xf32>) -> tensor<?x?x512xf32>
func.func @folds_unread_preactivation(%x: tensor<?x?x512xf32>, %w: tensor<512x512xf32>) -> tensor<?x?x512xf32> {
  %y, %s = bifocal.linear %x, %w activation relu : (tensor<?x?x512xf32>, tensor<512x512xf32>) -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>)
  return %y : tensor<?x?x512xf32>
}

// The backward pass reads the sums.

// CHECK-LABEL: func @keeps_read_preactivation(
// CHECK:         -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>)
func.func @keeps_read_preactivation(%x: tensor<?x?x512xf32>, %w: tensor<512x512xf32>) -> tensor<?x?x512xf32> {
  %0, %s = bifocal.linear %x, %w activation relu : (tensor<?x?x512xf32>, tensor<512x512xf32>) -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>)
  %y = bifocal.add %0, %s : tensor<?x?x512xf32>
  return %y : tensor<?x?x512xf32>
}
