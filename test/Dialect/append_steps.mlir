// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Sizes that are known at run time only, and fixed ones.

// CHECK-LABEL: func @dynamic(
// CHECK:         bifocal.append_steps %{{.+}}, %{{.+}} : (tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> tensor<?x?x8xf32>{{$}}
func.func @dynamic(%m: tensor<?x?x8xf32>, %x: tensor<?x?x8xf32>) {
  %y = bifocal.append_steps %m, %x : (tensor<?x?x8xf32>, tensor<?x?x8xf32>) -> tensor<?x?x8xf32>
  return
}

// A memory without a step, of another element type.

// CHECK-LABEL: func @empty(
// CHECK:         bifocal.append_steps %{{.+}}, %{{.+}} : (tensor<2x0x8xf32>, tensor<2x3x8xbf16>) -> tensor<2x3x8xbf16>{{$}}
func.func @empty(%m: tensor<2x0x8xf32>, %x: tensor<2x3x8xbf16>) {
  %y = bifocal.append_steps %m, %x : (tensor<2x0x8xf32>, tensor<2x3x8xbf16>) -> tensor<2x3x8xbf16>
  return
}
