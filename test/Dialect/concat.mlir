// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Two halves.

// CHECK-LABEL: func @halves(
// CHECK:         bifocal.concat %{{.+}}, %{{.+}} : (tensor<?x?x80xf32>, tensor<?x?x80xf32>) -> tensor<?x?x160xf32>{{$}}
func.func @halves(%a: tensor<?x?x80xf32>, %b: tensor<?x?x80xf32>) {
  %y = bifocal.concat %a, %b : (tensor<?x?x80xf32>, tensor<?x?x80xf32>) -> tensor<?x?x160xf32>
  return
}

// Any number of parts, of any widths.

// CHECK-LABEL: func @three_parts(
// CHECK:         bifocal.concat %{{.+}}, %{{.+}}, %{{.+}} : (tensor<?x8xbf16>, tensor<?x12xbf16>, tensor<?x4xbf16>) -> tensor<?x24xbf16>{{$}}
func.func @three_parts(%a: tensor<?x8xbf16>, %b: tensor<?x12xbf16>, %c: tensor<?x4xbf16>) {
  %y = bifocal.concat %a, %b, %c : (tensor<?x8xbf16>, tensor<?x12xbf16>, tensor<?x4xbf16>) -> tensor<?x24xbf16>
  return
}
