// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

bifocal.state @self.key : tensor<?x?x512xf32> dims ["P", "R", ""]
bifocal.state @self.value : tensor<?x?x512xf32> dims ["P", "R", ""]

// One query per hypothesis.

// CHECK-LABEL: func @step(
// CHECK:         bifocal.attention_step %{{.+}}, %{{.+}}, %{{.+}} caches @self.key, @self.value ancestors %{{.+}} step %{{.+}} {heads = 8 : i64, scale = 1.250000e-01 : f32} : (tensor<?x512xf32>, tensor<?x512xf32>, tensor<?x512xf32>, tensor<?x?xi32>, tensor<i32>) -> tensor<?x512xf32>{{$}}
func.func @step(%q: tensor<?x512xf32>, %k: tensor<?x512xf32>, %v: tensor<?x512xf32>, %a: tensor<?x?xi32>, %t: tensor<i32>) {
  %y = bifocal.attention_step %q, %k, %v caches @self.key, @self.value ancestors %a step %t {heads = 8 : i64, scale = 1.250000e-01 : f32} : (tensor<?x512xf32>, tensor<?x512xf32>, tensor<?x512xf32>, tensor<?x?xi32>, tensor<i32>) -> tensor<?x512xf32>
  return
}

// Heads of queries share those of the caches.

bifocal.state @shared.key : tensor<?x?x128xf32> dims ["P", "R", ""]
bifocal.state @shared.value : tensor<?x?x64xf32> dims ["P", "R", ""]

// CHECK-LABEL: func @shared(
// CHECK:         bifocal.attention_step %{{.+}}, %{{.+}}, %{{.+}} caches @shared.key, @shared.value ancestors %{{.+}} step %{{.+}} {heads = 8 : i64, kv_heads = 2 : i64, scale = 1.250000e-01 : f32} : (tensor<?x512xf32>, tensor<?x128xf32>, tensor<?x64xf32>, tensor<?x?xi32>, tensor<i32>) -> tensor<?x256xf32>{{$}}
func.func @shared(%q: tensor<?x512xf32>, %k: tensor<?x128xf32>, %v: tensor<?x64xf32>, %a: tensor<?x?xi32>, %t: tensor<i32>) {
  %y = bifocal.attention_step %q, %k, %v caches @shared.key, @shared.value ancestors %a step %t {heads = 8 : i64, kv_heads = 2 : i64, scale = 1.250000e-01 : f32} : (tensor<?x512xf32>, tensor<?x128xf32>, tensor<?x64xf32>, tensor<?x?xi32>, tensor<i32>) -> tensor<?x256xf32>
  return
}
