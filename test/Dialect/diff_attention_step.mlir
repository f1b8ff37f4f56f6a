// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

bifocal.state @self.key : tensor<?x?x256xf32> dims ["P", "R", ""]
bifocal.state @self.value : tensor<?x?x256xf32> dims ["P", "R", ""]

// One query of two maps per head and hypothesis; two heads share keys and values.

// CHECK-LABEL: func @step(
// CHECK:         bifocal.diff_attention_step %{{.+}}, %{{.+}}, %{{.+}} lambda %{{.+}} caches @self.key, @self.value ancestors %{{.+}} step %{{.+}} {heads = 4 : i64, kv_heads = 2 : i64, scale = 1.250000e-01 : f32} : (tensor<?x512xf32>, tensor<?x256xf32>, tensor<?x256xf32>, tensor<f32>, tensor<?x?xi32>, tensor<i32>) -> tensor<?x512xf32>{{$}}
func.func @step(%q: tensor<?x512xf32>, %k: tensor<?x256xf32>, %v: tensor<?x256xf32>, %l: tensor<f32>, %a: tensor<?x?xi32>, %t: tensor<i32>) {
  %y = bifocal.diff_attention_step %q, %k, %v lambda %l caches @self.key, @self.value ancestors %a step %t {heads = 4 : i64, kv_heads = 2 : i64, scale = 1.250000e-01 : f32} : (tensor<?x512xf32>, tensor<?x256xf32>, tensor<?x256xf32>, tensor<f32>, tensor<?x?xi32>, tensor<i32>) -> tensor<?x512xf32>
  return
}
