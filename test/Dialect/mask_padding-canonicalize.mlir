// RUN: bifocal-opt %s --canonicalize | FileCheck %s

// Masking twice is masking once.

// CHECK-LABEL: func @folds_same_mask(
// CHECK-COUNT-1:  bifocal.mask_padding
// CHECK-NOT:     bifocal.mask_padding
func.func @folds_same_mask(%x: tensor<?x?x512xf32>, %m: tensor<?x?xi1>) -> tensor<?x?x512xf32> {
  %0 = bifocal.mask_padding %x, %m : (tensor<?x?x512xf32>, tensor<?x?xi1>) -> tensor<?x?x512xf32>
  %y = bifocal.mask_padding %0, %m : (tensor<?x?x512xf32>, tensor<?x?xi1>) -> tensor<?x?x512xf32>
  return %y : tensor<?x?x512xf32>
}

// Two masks are two.

// CHECK-LABEL: func @keeps_other_mask(
// CHECK-COUNT-2:  bifocal.mask_padding
func.func @keeps_other_mask(%x: tensor<?x?x512xf32>, %m: tensor<?x?xi1>, %n: tensor<?x?xi1>) -> tensor<?x?x512xf32> {
  %0 = bifocal.mask_padding %x, %m : (tensor<?x?x512xf32>, tensor<?x?xi1>) -> tensor<?x?x512xf32>
  %y = bifocal.mask_padding %0, %n : (tensor<?x?x512xf32>, tensor<?x?xi1>) -> tensor<?x?x512xf32>
  return %y : tensor<?x?x512xf32>
}
