// RUN: bifocal-opt %s --canonicalize | FileCheck %s

// What was put side by side comes apart again.

// CHECK-LABEL: func @folds_concat(
// CHECK-SAME:      %[[A:.+]]: tensor<?x4xf32>, %[[B:.+]]: tensor<?x8xf32>
// CHECK-NEXT:    return %[[A]], %[[B]]
func.func @folds_concat(%a: tensor<?x4xf32>, %b: tensor<?x8xf32>) -> (tensor<?x4xf32>, tensor<?x8xf32>) {
  %x = bifocal.concat %a, %b : (tensor<?x4xf32>, tensor<?x8xf32>) -> tensor<?x12xf32>
  %c, %d = bifocal.split %x : (tensor<?x12xf32>) -> (tensor<?x4xf32>, tensor<?x8xf32>)
  return %c, %d : tensor<?x4xf32>, tensor<?x8xf32>
}

// Parts of other widths are others.

// CHECK-LABEL: func @keeps_other_widths(
// CHECK:         bifocal.concat
// CHECK:         bifocal.split
func.func @keeps_other_widths(%a: tensor<?x4xf32>, %b: tensor<?x8xf32>) -> (tensor<?x8xf32>, tensor<?x4xf32>) {
  %x = bifocal.concat %a, %b : (tensor<?x4xf32>, tensor<?x8xf32>) -> tensor<?x12xf32>
  %c, %d = bifocal.split %x : (tensor<?x12xf32>) -> (tensor<?x8xf32>, tensor<?x4xf32>)
  return %c, %d : tensor<?x8xf32>, tensor<?x4xf32>
}
