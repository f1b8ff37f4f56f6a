// RUN: bifocal-opt %s --split-input-file --bifocal-lower-to-plan --mlir-print-local-scope | FileCheck %s

// Products read parts where they lie, and they and their epilogues write where the concat has them: nothing is copied.

// CHECK-LABEL: plan.entry @parts_are_views
// CHECK-DAG:     %[[X:[0-9]+]] = plan.buffer input[0]
// CHECK-DAG:     %[[Y:[0-9]+]] = plan.buffer output[0]
// CHECK-DAG:     %[[X0:[0-9]+]] = plan.view %[[X]] column 0 width 4 of 12
// CHECK-DAG:     %[[X1:[0-9]+]] = plan.view %[[X]] column 4 width 8 of 12
// CHECK-DAG:     %[[Y0:[0-9]+]] = plan.view %[[Y]] column 0 width 4 of 12
// CHECK-DAG:     %[[Y1:[0-9]+]] = plan.view %[[Y]] column 4 width 8 of 12
// CHECK:         plan.gemm %[[X0]], %{{[0-9]+}} transposed into %[[Y0]] workspace
// CHECK-NEXT:    plan.gemm %[[X1]], %{{[0-9]+}} transposed into %[[Y1]] workspace {{.*}} epilogue @[[MAP:[a-z_0-9]+]](%[[Y1]], %{{[0-9]+}}, %[[Y1]])
// CHECK-NEXT:  }
// CHECK:       plan.kernel @[[MAP]] "map" stages 1 row_strides [12, 0, 12] {
// CHECK-NOT:   plan.kernel
func.func @parts_are_views(%x: tensor<?x12xf32> {bifocal.name = "x", bifocal.dims = ["N", ""]}, %w: tensor<4x4xf32> {bifocal.name = "w"},
                           %v: tensor<8x8xf32> {bifocal.name = "v"}, %b: tensor<8xf32> {bifocal.name = "b"})
    -> (tensor<?x12xf32> {bifocal.name = "y"}) {
  %p, %q = bifocal.split %x : (tensor<?x12xf32>) -> (tensor<?x4xf32>, tensor<?x8xf32>)
  %f = bifocal.linear %p, %w : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
  %g = bifocal.linear %q, %v bias %b : (tensor<?x8xf32>, tensor<8x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %y = bifocal.concat %f, %g : (tensor<?x4xf32>, tensor<?x8xf32>) -> tensor<?x12xf32>
  return %y : tensor<?x12xf32>
}

// -----

// So do the gradients: of a part of the output, for a part of the input, and of what multiplied it.

// CHECK-LABEL: plan.entry @gradients_are_views
// CHECK-DAG:     %[[G:[0-9]+]] = plan.buffer input[0]
// CHECK-DAG:     %[[X:[0-9]+]] = plan.buffer input[1]
// CHECK-DAG:     %[[DX:[0-9]+]] = plan.buffer output[0]
// CHECK-DAG:     %[[DW:[0-9]+]] = plan.buffer output[1]
// CHECK-DAG:     %[[G0:[0-9]+]] = plan.view %[[G]] column 0 width 4 of 12
// CHECK-DAG:     %[[X0:[0-9]+]] = plan.view %[[X]] column 0 width 4 of 12
// CHECK-DAG:     %[[DX0:[0-9]+]] = plan.view %[[DX]] column 0 width 4 of 12
// CHECK:         plan.gemm %[[G0]], %{{[0-9]+}} into %[[DX0]] workspace
// CHECK:         plan.gemm %[[G0]] transposed, %[[X0]] into %[[DW]] workspace
// CHECK:       plan.kernel @column_sum_0 "column_sum" stages 2 row_strides [12, 0] {
// CHECK-NOT:   "copy_rows"
func.func @gradients_are_views(%g: tensor<?x12xf32> {bifocal.name = "g", bifocal.dims = ["N", ""]}, %x: tensor<?x12xf32> {bifocal.name = "x", bifocal.dims = ["N", ""]},
                               %w: tensor<4x4xf32> {bifocal.name = "w"})
    -> (tensor<?x12xf32> {bifocal.name = "dx"}, tensor<4x4xf32> {bifocal.name = "dw"}, tensor<8xf32> {bifocal.name = "db"}) {
  %g0, %g1 = bifocal.split %g : (tensor<?x12xf32>) -> (tensor<?x4xf32>, tensor<?x8xf32>)
  %x0, %x1 = bifocal.split %x : (tensor<?x12xf32>) -> (tensor<?x4xf32>, tensor<?x8xf32>)
  %d0 = bifocal.linear_input_grad %g0, %w : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
  %dw = bifocal.linear_weight_grad %g0, %x0 : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<4x4xf32>
  %db = bifocal.column_sum %g1 : (tensor<?x8xf32>) -> tensor<8xf32>
  %d1 = bifocal.relu_grad %g1, %x1 : tensor<?x8xf32>
  %dx = bifocal.concat %d0, %d1 : (tensor<?x4xf32>, tensor<?x8xf32>) -> tensor<?x12xf32>
  return %dx, %dw, %db : tensor<?x12xf32>, tensor<4x4xf32>, tensor<8xf32>
}

// -----

// A view of a view is one of the buffer behind both.

// CHECK-LABEL: plan.entry @views_of_views
// CHECK-DAG:     %[[X:[0-9]+]] = plan.buffer input[0]
// CHECK-DAG:     plan.view %[[X]] column 6 width 2 of 12
// CHECK-NOT:   "copy_rows"
func.func @views_of_views(%x: tensor<?x12xf32> {bifocal.name = "x", bifocal.dims = ["N", ""]}) -> (tensor<?x2xf32> {bifocal.name = "y"}) {
  %p, %q = bifocal.split %x : (tensor<?x12xf32>) -> (tensor<?x4xf32>, tensor<?x8xf32>)
  %r, %s, %t = bifocal.split %q : (tensor<?x8xf32>) -> (tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x4xf32>)
  %y = bifocal.relu %s : tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

// Attention reads whole heads of neighbouring rows: its operands are copied, each once; so is what no row op writes.

// CHECK-LABEL: plan.entry @copies_for_attention
// CHECK-DAG:     %[[X:[0-9]+]] = plan.buffer input[0]
// CHECK-DAG:     %[[Q:[0-9]+]] = plan.view %[[X]] column 0 width 8 of 16
// CHECK-DAG:     %[[K:[0-9]+]] = plan.view %[[X]] column 8 width 8 of 16
// CHECK-DAG:     %[[Y1:[0-9]+]] = plan.view %{{[0-9]+}} column 8 width 8 of 16
// CHECK:         plan.launch @copy_rows_0(%[[Q]], %[[QD:[0-9]+]])
// CHECK-NEXT:    plan.launch @copy_rows_0(%[[K]], %[[KD:[0-9]+]])
// CHECK-NEXT:    plan.launch @attention_0(%[[QD]], %[[KD]], %[[KD]], %[[A:[0-9]+]],
// CHECK-NEXT:    plan.launch @copy_rows_1(%[[A]], %{{[0-9]+}})
// CHECK-NEXT:    plan.launch @copy_rows_2(%[[K]], %[[Y1]])
func.func @copies_for_attention(%x: tensor<?x?x16xf32> {bifocal.name = "x", bifocal.dims = ["B", "T", ""]}) -> (tensor<?x?x16xf32> {bifocal.name = "y"}) {
  %q, %k = bifocal.split %x : (tensor<?x?x16xf32>) -> (tensor<?x?x8xf32>, tensor<?x?x8xf32>)
  %a, %lse = bifocal.attention %q, %k, %k {heads = 2 : i64, scale = 0.5 : f32} : (tensor<?x?x8xf32>, tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> (tensor<?x?x8xf32>, tensor<?x2x?xf32>)
  %y = bifocal.concat %a, %k : (tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> tensor<?x?x16xf32>
  return %y : tensor<?x?x16xf32>
}

// -----

// A part that the caller gets is copied to where the caller wants it; so is the second of two places of one value.

// CHECK-LABEL: plan.entry @copies_returned_parts
// CHECK:         plan.launch @copy_rows_0(%{{[0-9]+}}, %{{[0-9]+}})
// CHECK:         plan.launch @relu_0
// CHECK:         plan.launch @copy_rows_1
func.func @copies_returned_parts(%x: tensor<?x12xf32> {bifocal.name = "x", bifocal.dims = ["N", ""]})
    -> (tensor<?x4xf32> {bifocal.name = "p"}, tensor<?x16xf32> {bifocal.name = "y"}) {
  %p, %q = bifocal.split %x : (tensor<?x12xf32>) -> (tensor<?x4xf32>, tensor<?x8xf32>)
  %r = bifocal.relu %q : tensor<?x8xf32>
  %y = bifocal.concat %r, %r : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x16xf32>
  return %p, %y : tensor<?x4xf32>, tensor<?x16xf32>
}
