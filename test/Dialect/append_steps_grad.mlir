// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// CHECK-LABEL: func @steps(
// CHECK:         bifocal.append_steps_grad %{{.+}}, %{{.+}} : (tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> tensor<?x?x8xf32>{{$}}
func.func @steps(%m: tensor<?x?x8xf32>, %g: tensor<?x?x8xf32>) {
  %d = bifocal.append_steps_grad %m, %g : (tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> tensor<?x?x8xf32>
  return
}
