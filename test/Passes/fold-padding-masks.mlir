// RUN: bifocal-opt %s --split-input-file --verify-diagnostics --bifocal-fold-padding-masks=remarks=true | FileCheck %s

// Two layers ask for the mask of the same tokens: one op makes it.

// CHECK-LABEL: func @folds_masks_of_the_same_tokens
// CHECK:         %[[MASK:.+]] = bifocal.padding_mask
// CHECK-NOT:     bifocal.padding_mask
// CHECK:         return %[[MASK]], %[[MASK]]
func.func @folds_masks_of_the_same_tokens(%source: tensor<?x?xi32>) -> (tensor<?x?xi1>, tensor<?x?xi1>) {
  %first = bifocal.padding_mask %source {pad = 1 : i32} : (tensor<?x?xi32>) -> tensor<?x?xi1>
  // expected-remark@+1 {{fused: same mask as 'bifocal.padding_mask' at}}
  %second = bifocal.padding_mask %source {pad = 1 : i32} : (tensor<?x?xi32>) -> tensor<?x?xi1>
  return %first, %second : tensor<?x?xi1>, tensor<?x?xi1>
}

// -----

// Another pad id makes another mask.

// CHECK-LABEL: func @keeps_masks_of_another_pad
// CHECK:         bifocal.padding_mask %{{.+}} {pad = 1 : i32}
// CHECK:         bifocal.padding_mask %{{.+}} {pad = 2 : i32}
func.func @keeps_masks_of_another_pad(%source: tensor<?x?xi32>) -> (tensor<?x?xi1>, tensor<?x?xi1>) {
  %first = bifocal.padding_mask %source {pad = 1 : i32} : (tensor<?x?xi32>) -> tensor<?x?xi1>
  %second = bifocal.padding_mask %source {pad = 2 : i32} : (tensor<?x?xi32>) -> tensor<?x?xi1>
  return %first, %second : tensor<?x?xi1>, tensor<?x?xi1>
}

// -----

// Masks of source and target have nothing in common.

// CHECK-LABEL: func @keeps_masks_of_other_tokens
// CHECK-COUNT-2: bifocal.padding_mask
func.func @keeps_masks_of_other_tokens(%source: tensor<?x?xi32>, %target: tensor<?x?xi32>)
    -> (tensor<?x?xi1>, tensor<?x?xi1>) {
  %first = bifocal.padding_mask %source {pad = 1 : i32} : (tensor<?x?xi32>) -> tensor<?x?xi1>
  %second = bifocal.padding_mask %target {pad = 1 : i32} : (tensor<?x?xi32>) -> tensor<?x?xi1>
  return %first, %second : tensor<?x?xi1>, tensor<?x?xi1>
}
