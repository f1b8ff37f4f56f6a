// RUN: bifocal-opt %s --canonicalize | FileCheck %s

// All parts of a tensor, in order, are the tensor.

// CHECK-LABEL: func @folds_split(
// CHECK-SAME:      %[[X:.+]]: tensor<?x12xf32>
// CHECK-NEXT:    return %[[X]]
func.func @folds_split(%x: tensor<?x12xf32>) -> tensor<?x12xf32> {
  %a, %b = bifocal.split %x : (tensor<?x12xf32>) -> (tensor<?x4xf32>, tensor<?x8xf32>)
  %y = bifocal.concat %a, %b : (tensor<?x4xf32>, tensor<?x8xf32>) -> tensor<?x12xf32>
  return %y : tensor<?x12xf32>
}

// In another order they are not.

// CHECK-LABEL: func @keeps_other_order(
// CHECK:         bifocal.split
// CHECK:         bifocal.concat
func.func @keeps_other_order(%x: tensor<?x12xf32>) -> tensor<?x12xf32> {
  %a, %b = bifocal.split %x : (tensor<?x12xf32>) -> (tensor<?x4xf32>, tensor<?x8xf32>)
  %y = bifocal.concat %b, %a : (tensor<?x8xf32>, tensor<?x4xf32>) -> tensor<?x12xf32>
  return %y : tensor<?x12xf32>
}
