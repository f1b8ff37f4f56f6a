// RUN: bifocal-opt %s --canonicalize | FileCheck %s

// What nobody reads is not carried in.

// CHECK-LABEL: func @folds_unread_input(
// CHECK:         bifocal.map (%{{[^,]+}}) ->
func.func @folds_unread_input(%x: tensor<?x?x512xf32>, %z: tensor<?x?x512xf32>) -> tensor<?x?x512xf32> {
  %y = bifocal.map (%a = %x : tensor<?x?x512xf32>, %b = %z : tensor<?x?x512xf32>) -> tensor<?x?x512xf32> {
    %0 = bifocal.relu %a : tensor<?x?x512xf32>
    bifocal.yield %0 : tensor<?x?x512xf32>
  }
  return %y : tensor<?x?x512xf32>
}

// One value comes in once.

// CHECK-LABEL: func @folds_equal_inputs(
// CHECK:         bifocal.map (%[[A:.+]] = %arg0 : {{[^,]+}}) ->
// CHECK:         bifocal.add %[[A]], %[[A]]
func.func @folds_equal_inputs(%x: tensor<?x?x512xf32>) -> tensor<?x?x512xf32> {
  %y = bifocal.map (%a = %x : tensor<?x?x512xf32>, %b = %x : tensor<?x?x512xf32>) -> tensor<?x?x512xf32> {
    %0 = bifocal.add %a, %b : tensor<?x?x512xf32>
    bifocal.yield %0 : tensor<?x?x512xf32>
  }
  return %y : tensor<?x?x512xf32>
}

// Two values come in as two.

// CHECK-LABEL: func @keeps_read_inputs(
// CHECK:         bifocal.map (%{{.+}} = %arg0 : {{[^,]+}}, %{{.+}} = %arg1 : {{[^,]+}}) ->
func.func @keeps_read_inputs(%x: tensor<?x?x512xf32>, %z: tensor<?x?x512xf32>) -> tensor<?x?x512xf32> {
  %y = bifocal.map (%a = %x : tensor<?x?x512xf32>, %b = %z : tensor<?x?x512xf32>) -> tensor<?x?x512xf32> {
    %0 = bifocal.add %a, %b : tensor<?x?x512xf32>
    bifocal.yield %0 : tensor<?x?x512xf32>
  }
  return %y : tensor<?x?x512xf32>
}

// A result that nobody reads is not written to memory.

// CHECK-LABEL: func @folds_unread_result(
// CHECK:         -> tensor<?x?x512xf32> {
// CHECK:         %[[SUM:.+]] = bifocal.add
// CHECK:         bifocal.yield %[[SUM]] : tensor<?x?x512xf32>{{$}}
func.func @folds_unread_result(%x: tensor<?x?x512xf32>) -> tensor<?x?x512xf32> {
  %q, %y = bifocal.map (%a = %x : tensor<?x?x512xf32>) -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>) {
    %0 = bifocal.relu %a : tensor<?x?x512xf32>
    %1 = bifocal.add %0, %a : tensor<?x?x512xf32>
    bifocal.yield %0, %1 : tensor<?x?x512xf32>, tensor<?x?x512xf32>
  }
  return %y : tensor<?x?x512xf32>
}

// Results that are read stay, in order.

// CHECK-LABEL: func @keeps_read_results(
// CHECK:         -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>) {
func.func @keeps_read_results(%x: tensor<?x?x512xf32>) -> tensor<?x?x512xf32> {
  %p, %q = bifocal.map (%a = %x : tensor<?x?x512xf32>) -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>) {
    %0 = bifocal.relu %a : tensor<?x?x512xf32>
    %1 = bifocal.add %0, %a : tensor<?x?x512xf32>
    bifocal.yield %0, %1 : tensor<?x?x512xf32>, tensor<?x?x512xf32>
  }
  %y = bifocal.add %p, %q : tensor<?x?x512xf32>
  return %y : tensor<?x?x512xf32>
}
