// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// Neither bias nor activation.

// CHECK-LABEL: func @plain(
// CHECK:         bifocal.linear %{{.+}}, %{{.+}} : (tensor<?x?x512xf32>, tensor<1024x512xf32>) -> tensor<?x?x1024xf32>{{$}}
func.func @plain(%x: tensor<?x?x512xf32>, %w: tensor<1024x512xf32>) {
  %y = bifocal.linear %x, %w : (tensor<?x?x512xf32>, tensor<1024x512xf32>) -> tensor<?x?x1024xf32>
  return
}

// The activation reads as a keyword.

// CHECK-LABEL: func @relu(
// CHECK:         bifocal.linear %{{.+}}, %{{.+}} bias %{{.+}} activation relu : (tensor<?x?x512xf32>, tensor<1024x512xf32>, tensor<1024xf32>) -> tensor<?x?x1024xf32>{{$}}
func.func @relu(%x: tensor<?x?x512xf32>, %w: tensor<1024x512xf32>, %b: tensor<1024xf32>) {
  %y = bifocal.linear %x, %w bias %b activation relu : (tensor<?x?x512xf32>, tensor<1024x512xf32>, tensor<1024xf32>) -> tensor<?x?x1024xf32>
  return
}

// A gate halves the channels; the sums are a second result.

// CHECK-LABEL: func @glu_keeps_preactivation(
// CHECK:         bifocal.linear %{{.+}}, %{{.+}} activation glu : (tensor<?x?x512xf32>, tensor<1024x512xf32>) -> (tensor<?x?x512xf32>, tensor<?x?x1024xf32>){{$}}
func.func @glu_keeps_preactivation(%x: tensor<?x?x512xf32>, %w: tensor<1024x512xf32>) {
  %y, %sums = bifocal.linear %x, %w activation glu : (tensor<?x?x512xf32>, tensor<1024x512xf32>) -> (tensor<?x?x512xf32>, tensor<?x?x1024xf32>)
  return
}

// CHECK-LABEL: func @masked(
// CHECK:         bifocal.linear %{{.+}}, %{{.+}} bias %{{.+}} mask %{{.+}} activation relu : (tensor<?x?x512xf32>, tensor<1024x512xf32>, tensor<1024xf32>, tensor<?x?xi1>) -> tensor<?x?x1024xf32>{{$}}
// CHECK:         bifocal.linear %{{.+}}, %{{.+}} mask %{{.+}} : (tensor<?x?x512xf32>, tensor<1024x512xf32>, tensor<?x?xi1>) -> tensor<?x?x1024xf32>{{$}}
func.func @masked(%x: tensor<?x?x512xf32>, %w: tensor<1024x512xf32>, %b: tensor<1024xf32>, %m: tensor<?x?xi1>) {
  %y = bifocal.linear %x, %w bias %b mask %m activation relu : (tensor<?x?x512xf32>, tensor<1024x512xf32>, tensor<1024xf32>, tensor<?x?xi1>) -> tensor<?x?x1024xf32>
  %z = bifocal.linear %x, %w mask %m : (tensor<?x?x512xf32>, tensor<1024x512xf32>, tensor<?x?xi1>) -> tensor<?x?x1024xf32>
  return
}

// CHECK-LABEL: func @quantized(
// CHECK:         bifocal.linear %{{.+}}, %{{.+}} activation relu quantization factors : (tensor<?x512xf32>, tensor<1024x512xf32>) -> tensor<?x1024xf32>{{$}}
// CHECK:         bifocal.linear %{{.+}}, %{{.+}} quantization weights : (tensor<?x512xf32>, tensor<1024x512xf32>) -> tensor<?x1024xf32>{{$}}
func.func @quantized(%x: tensor<?x512xf32>, %w: tensor<1024x512xf32>) {
  %y = bifocal.linear %x, %w activation relu quantization factors : (tensor<?x512xf32>, tensor<1024x512xf32>) -> tensor<?x1024xf32>
  %z = bifocal.linear %x, %w quantization weights : (tensor<?x512xf32>, tensor<1024x512xf32>) -> tensor<?x1024xf32>
  return
}

// The other gate.

// CHECK-LABEL: func @swiglu(
// CHECK:         bifocal.linear %{{.+}}, %{{.+}} activation swiglu : (tensor<?x?x512xf32>, tensor<1024x512xf32>) -> tensor<?x?x512xf32>{{$}}
func.func @swiglu(%x: tensor<?x?x512xf32>, %w: tensor<1024x512xf32>) {
  %y = bifocal.linear %x, %w activation swiglu : (tensor<?x?x512xf32>, tensor<1024x512xf32>) -> tensor<?x?x512xf32>
  return
}
