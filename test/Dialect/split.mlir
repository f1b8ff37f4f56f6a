// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Two halves.

// CHECK-LABEL: func @halves(
// CHECK:         %{{.+}}:2 = bifocal.split %{{.+}} : (tensor<?x?x160xf32>) -> (tensor<?x?x80xf32>, tensor<?x?x80xf32>){{$}}
func.func @halves(%x: tensor<?x?x160xf32>) {
  %far, %near = bifocal.split %x : (tensor<?x?x160xf32>) -> (tensor<?x?x80xf32>, tensor<?x?x80xf32>)
  return
}

// Any number of parts, of any widths.

// CHECK-LABEL: func @three_parts(
// CHECK:         %{{.+}}:3 = bifocal.split %{{.+}} : (tensor<?x24xbf16>) -> (tensor<?x8xbf16>, tensor<?x12xbf16>, tensor<?x4xbf16>){{$}}
func.func @three_parts(%x: tensor<?x24xbf16>) {
  %a, %b, %c = bifocal.split %x : (tensor<?x24xbf16>) -> (tensor<?x8xbf16>, tensor<?x12xbf16>, tensor<?x4xbf16>)
  return
}
