// RUN: bifocal-opt %s --canonicalize | FileCheck %s

// The other gradient of a tied table becomes the start of the sum.

// CHECK-LABEL: func @folds_into_embedding_grad(
// CHECK-NOT:     bifocal.add
// CHECK:         bifocal.embedding_grad %arg0, %arg1 initial %arg2
func.func @folds_into_embedding_grad(%i: tensor<?x?xi32>, %g: tensor<?x?x512xf32>, %o: tensor<6000x512xf32>) -> tensor<6000x512xf32> {
  %0 = bifocal.embedding_grad %i, %g : (tensor<?x?xi32>, tensor<?x?x512xf32>) -> tensor<6000x512xf32>
  %y = bifocal.add %o, %0 : tensor<6000x512xf32>
  return %y : tensor<6000x512xf32>
}

// Either side will do.

// CHECK-LABEL: func @folds_left_operand(
// CHECK-NOT:     bifocal.add
// CHECK:         bifocal.embedding_grad %arg0, %arg1 initial %arg2
func.func @folds_left_operand(%i: tensor<?x?xi32>, %g: tensor<?x?x512xf32>, %o: tensor<6000x512xf32>) -> tensor<6000x512xf32> {
  %0 = bifocal.embedding_grad %i, %g : (tensor<?x?xi32>, tensor<?x?x512xf32>) -> tensor<6000x512xf32>
  %y = bifocal.add %0, %o : tensor<6000x512xf32>
  return %y : tensor<6000x512xf32>
}

// A second reader needs the gradient alone.

// CHECK-LABEL: func @keeps_embedding_grad_with_second_reader(
// CHECK:         bifocal.embedding_grad %arg0, %arg1 :
// CHECK-COUNT-2:  bifocal.add
func.func @keeps_embedding_grad_with_second_reader(%i: tensor<?x?xi32>, %g: tensor<?x?x512xf32>, %o: tensor<6000x512xf32>) -> tensor<6000x512xf32> {
  %0 = bifocal.embedding_grad %i, %g : (tensor<?x?xi32>, tensor<?x?x512xf32>) -> tensor<6000x512xf32>
  %1 = bifocal.add %o, %0 : tensor<6000x512xf32>
  %2 = bifocal.relu %0 : tensor<6000x512xf32>
  %y = bifocal.add %1, %2 : tensor<6000x512xf32>
  return %y : tensor<6000x512xf32>
}

// There is one place for an initial value.

// CHECK-LABEL: func @keeps_embedding_grad_with_initial(
// CHECK:         bifocal.add
func.func @keeps_embedding_grad_with_initial(%i: tensor<?x?xi32>, %g: tensor<?x?x512xf32>, %o: tensor<6000x512xf32>) -> tensor<6000x512xf32> {
  %0 = bifocal.embedding_grad %i, %g initial %o : (tensor<?x?xi32>, tensor<?x?x512xf32>, tensor<6000x512xf32>) -> tensor<6000x512xf32>
  %y = bifocal.add %o, %0 : tensor<6000x512xf32>
  return %y : tensor<6000x512xf32>
}

// With a table for source and target the two gradients form a chain, and the third one goes to its start.

// CHECK-LABEL: func @folds_into_chain(
// CHECK-NOT:      bifocal.add
// CHECK:          %[[FIRST:.+]] = bifocal.embedding_grad %arg0, %arg2 initial %arg4
// CHECK:          bifocal.embedding_grad %arg1, %arg3 initial %[[FIRST]]
// CHECK-NOT:      bifocal.add
func.func @folds_into_chain(%i: tensor<?x?xi32>, %j: tensor<?x?xi32>, %g: tensor<?x?x512xf32>, %h: tensor<?x?x512xf32>, %o: tensor<6000x512xf32>) -> tensor<6000x512xf32> {
  %0 = bifocal.embedding_grad %i, %g : (tensor<?x?xi32>, tensor<?x?x512xf32>) -> tensor<6000x512xf32>
  %1 = bifocal.embedding_grad %j, %h : (tensor<?x?xi32>, tensor<?x?x512xf32>) -> tensor<6000x512xf32>
  %2 = bifocal.add %0, %1 : tensor<6000x512xf32>
  %y = bifocal.add %2, %o : tensor<6000x512xf32>
  return %y : tensor<6000x512xf32>
}
