// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

bifocal.state @cross.key : tensor<?x?x512xf32> dims ["B", "S", ""]
bifocal.state @cross.value : tensor<?x?x512xf32> dims ["B", "S", ""]
bifocal.state @source_mask : tensor<?x?xi1> dims ["B", "S"]

// One query per hypothesis, several to a sentence.

// CHECK-LABEL: func @step(
// CHECK:         bifocal.cross_attention_step %{{.+}} sentences %{{.+}} states @cross.key, @cross.value, @source_mask {heads = 8 : i64, scale = 1.250000e-01 : f32} : (tensor<?x512xf32>, tensor<?xi32>) -> tensor<?x512xf32>{{$}}
func.func @step(%q: tensor<?x512xf32>, %s: tensor<?xi32>) {
  %y = bifocal.cross_attention_step %q sentences %s states @cross.key, @cross.value, @source_mask {heads = 8 : i64, scale = 1.250000e-01 : f32} : (tensor<?x512xf32>, tensor<?xi32>) -> tensor<?x512xf32>
  return
}
