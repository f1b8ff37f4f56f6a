// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Inputs are bound to names in the head; one result needs no parentheses.

// CHECK-LABEL: func @pointwise(
// CHECK:         bifocal.map (%[[A:.+]] = %{{.+}} : tensor<?x?x512xf32>, %[[R:.+]] = %{{.+}} : tensor<?x?x512xf32>, %[[G:.+]] = %{{.+}} : tensor<2xi64>) -> tensor<?x?x512xf32> {
// CHECK-NEXT:      %[[DROPPED:.+]] = bifocal.dropout %[[A]], %[[G]]
// CHECK-NEXT:      %[[SUM:.+]] = bifocal.add %[[DROPPED]], %[[R]] : tensor<?x?x512xf32>
// CHECK-NEXT:      bifocal.yield %[[SUM]] : tensor<?x?x512xf32>
func.func @pointwise(%x: tensor<?x?x512xf32>, %residual: tensor<?x?x512xf32>, %rng: tensor<2xi64>) -> tensor<?x?x512xf32> {
  %y = bifocal.map (%a = %x : tensor<?x?x512xf32>, %r = %residual : tensor<?x?x512xf32>, %g = %rng : tensor<2xi64>) -> tensor<?x?x512xf32> {
    %dropped = bifocal.dropout %a, %g {rate = 0.1 : f32, site = 3 : i32} : (tensor<?x?x512xf32>, tensor<2xi64>) -> tensor<?x?x512xf32>
    %sum = bifocal.add %dropped, %r : tensor<?x?x512xf32>
    bifocal.yield %sum : tensor<?x?x512xf32>
  }
  return %y : tensor<?x?x512xf32>
}

// One row reduction with several results, and an attribute on the map.

// CHECK-LABEL: func @row_reduction(
// CHECK:         bifocal.map ({{.+}}) -> (tensor<?x512xf32>, tensor<?xf32>, tensor<?xf32>) attributes {note = "kept"} {
// CHECK:           bifocal.layer_norm
// CHECK:           bifocal.yield %{{.+}}, %{{.+}}, %{{.+}} : tensor<?x512xf32>, tensor<?xf32>, tensor<?xf32>
func.func @row_reduction(%x: tensor<?x512xf32>, %s: tensor<512xf32>) {
  %y:3 = bifocal.map (%a = %x : tensor<?x512xf32>, %scale = %s : tensor<512xf32>) -> (tensor<?x512xf32>, tensor<?xf32>, tensor<?xf32>) attributes {note = "kept"} {
    %n, %mean, %rstd = bifocal.layer_norm %a, %scale, %scale : (tensor<?x512xf32>, tensor<512xf32>, tensor<512xf32>) -> (tensor<?x512xf32>, tensor<?xf32>, tensor<?xf32>)
    bifocal.yield %n, %mean, %rstd : tensor<?x512xf32>, tensor<?xf32>, tensor<?xf32>
  }
  return
}

// Sums over rows beside a value per row.

// CHECK-LABEL: func @column_sums(
// CHECK:         %[[G:.+]] = bifocal.relu_grad
// CHECK:         %[[S:.+]] = bifocal.column_sum %[[G]]
// CHECK:         bifocal.yield %[[G]], %[[S]]
func.func @column_sums(%g: tensor<?x512xf32>, %y: tensor<?x512xf32>) {
  %r:2 = bifocal.map (%a = %g : tensor<?x512xf32>, %b = %y : tensor<?x512xf32>) -> (tensor<?x512xf32>, tensor<512xf32>) {
    %grad = bifocal.relu_grad %a, %b : tensor<?x512xf32>
    %sum = bifocal.column_sum %grad : (tensor<?x512xf32>) -> tensor<512xf32>
    bifocal.yield %grad, %sum : tensor<?x512xf32>, tensor<512xf32>
  }
  return
}

// Inside, floats are f32, whatever memory holds.

// CHECK-LABEL: func @narrow_memory(
// CHECK:         bifocal.map (%[[A:.+]] = %{{.+}} : tensor<?x512xbf16> as tensor<?x512xf32>, %[[B:.+]] = %{{.+}} : tensor<?x512xf32>) -> tensor<?x512xf16> {
// CHECK-NEXT:      %[[S:.+]] = bifocal.add %[[A]], %[[B]] : tensor<?x512xf32>
// CHECK-NEXT:      bifocal.yield %[[S]] : tensor<?x512xf32>
func.func @narrow_memory(%x: tensor<?x512xbf16>, %y: tensor<?x512xf32>) {
  %r = bifocal.map (%a = %x : tensor<?x512xbf16> as tensor<?x512xf32>, %b = %y : tensor<?x512xf32>) -> tensor<?x512xf16> {
    %sum = bifocal.add %a, %b : tensor<?x512xf32>
    bifocal.yield %sum : tensor<?x512xf32>
  }
  return
}
