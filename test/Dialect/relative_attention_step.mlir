// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

bifocal.state @self.key : tensor<?x?x512xf32> dims ["P", "R", ""]
bifocal.state @self.value : tensor<?x?x512xf32> dims ["P", "R", ""]

// A window.

// CHECK-LABEL: func @window(
// CHECK:         bifocal.relative_attention_step %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}} caches @self.key, @self.value ancestors %{{.+}} step %{{.+}} {heads = 8 : i64, scale = 1.250000e-01 : f32, window = 5 : i64} : (tensor<?x512xf32>, tensor<?x512xf32>, tensor<?x512xf32>, tensor<?x512xf32>, tensor<?x512xf32>, tensor<?x?xi32>, tensor<i32>) -> tensor<?x512xf32>{{$}}
func.func @window(%q: tensor<?x512xf32>, %r: tensor<?x512xf32>, %a: tensor<?x?xi32>, %t: tensor<i32>) {
  %y = bifocal.relative_attention_step %q, %q, %q, %q, %r caches @self.key, @self.value ancestors %a step %t {heads = 8 : i64, scale = 1.250000e-01 : f32, window = 5 : i64} : (tensor<?x512xf32>, tensor<?x512xf32>, tensor<?x512xf32>, tensor<?x512xf32>, tensor<?x512xf32>, tensor<?x?xi32>, tensor<i32>) -> tensor<?x512xf32>
  return
}

// A span.

// CHECK-LABEL: func @span(
// CHECK:         bifocal.relative_attention_step %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}} span %{{.+}} caches @self.key, @self.value ancestors %{{.+}} step %{{.+}} {heads = 8 : i64, nearest = 1 : i64, ramp = 32 : i64, scale = 1.250000e-01 : f32, span_unit = 256 : i64} : (tensor<?x512xf32>, tensor<?x512xf32>, tensor<?x512xf32>, tensor<?x512xf32>, tensor<256x64xf32>, tensor<8xf32>, tensor<?x?xi32>, tensor<i32>) -> tensor<?x512xf32>{{$}}
func.func @span(%q: tensor<?x512xf32>, %r: tensor<256x64xf32>, %z: tensor<8xf32>, %a: tensor<?x?xi32>, %t: tensor<i32>) {
  %y = bifocal.relative_attention_step %q, %q, %q, %q, %r span %z caches @self.key, @self.value ancestors %a step %t {heads = 8 : i64, nearest = 1 : i64, ramp = 32 : i64, scale = 1.250000e-01 : f32, span_unit = 256 : i64} : (tensor<?x512xf32>, tensor<?x512xf32>, tensor<?x512xf32>, tensor<?x512xf32>, tensor<256x64xf32>, tensor<8xf32>, tensor<?x?xi32>, tensor<i32>) -> tensor<?x512xf32>
  return
}
