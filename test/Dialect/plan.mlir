// RUN: bifocal-opt %s | bifocal-opt | FileCheck %s
// RUN: bifocal-opt %s --mlir-print-op-generic | bifocal-opt | FileCheck %s

// A kernel says what it computes as one op on whole tensors.

// CHECK-LABEL: plan.kernel @relu_0 "map" stages 1 {
// CHECK-NEXT:  ^bb0(%[[X:.+]]: tensor<?x512xf32>):
// CHECK-NEXT:    %[[Y:.+]] = bifocal.relu %[[X]]
// CHECK-NEXT:    plan.return %[[Y]] : tensor<?x512xf32>
plan.kernel @relu_0 "map" stages 1 {
^bb0(%x: tensor<?x512xf32>):
  %y = bifocal.relu %x : tensor<?x512xf32>
  plan.return %y : tensor<?x512xf32>
}

// Its dropouts are numbered; launches say their sites.

// CHECK-LABEL: plan.kernel @dropout_0 "map" stages 1 sites 1 {
plan.kernel @dropout_0 "map" stages 1 sites 1 {
^bb0(%x: tensor<?x512xf32>, %rng: tensor<2xi64>):
  %y = bifocal.dropout %x, %rng {rate = 0.5 : f32, site = 0 : i32} : (tensor<?x512xf32>, tensor<2xi64>) -> tensor<?x512xf32>
  plan.return %y : tensor<?x512xf32>
}

// Every kind of buffer and of step.

// CHECK-LABEL: plan.entry @forward symbols ["N"] attributes {classes = [{{.+}}, {{.+}}], inputs = [{{.+}}], outputs = [{{.+}}], peak = array<i64: 4096, 512>} {
// CHECK-NEXT:    %[[X:.+]] = plan.buffer input[0] class 1 at 0 size 2048 "f32"
// CHECK-NEXT:    %[[Y:.+]] = plan.buffer output[0] class 1 at 0 size 2048 "f32"
// CHECK-NEXT:    %[[W:.+]] = plan.buffer parameter class 0 at 64 size 1048576 "f32"
// CHECK-NEXT:    %[[T:.+]] = plan.buffer arena class 1 at -1 size 2048 "f32"
// CHECK-NEXT:    %[[S:.+]] = plan.buffer state name "cache" class 1 at 0 size 2048 "f32"
// CHECK-NEXT:    %[[P:.+]] = plan.buffer arena class 0 at -1 size 65536 "f32"
// CHECK-NEXT:    plan.fill %[[T]] with 0.000000e+00
// CHECK-NEXT:    plan.launch @relu_0(%[[X]], %[[Y]]) sizes [#{{.+}}] stages [#{{.+}}]
// CHECK-NEXT:    plan.gemm %[[X]], %[[W]] transposed into %[[T]] m #{{.+}} n #{{.+}} k #{{.+}}
// CHECK-NEXT:    plan.gemm %[[X]], %[[W]] into %[[T]] m #{{.+}} n #{{.+}} k #{{.+}} beta 1.000000e+00 epilogue @relu_0(%[[T]], %[[Y]]) sizes [#{{.+}}] rows_per_tile 64
// CHECK-NEXT:    plan.gemm %[[X]] transposed, %[[W]] into %[[T]] workspace %[[P]] m #{{.+}} n #{{.+}} k #{{.+}}
// CHECK-NEXT:    plan.gemm %[[X]], %[[W]] into %[[T]] workspace %[[P]] m #{{.+}} n #{{.+}} k #{{.+}} beta 1.000000e+00 epilogue @relu_0(%[[T]], %[[Y]]) sizes [#{{.+}}] rows_per_tile 64
// CHECK-NEXT:    plan.slabs #{{.+}} by 256 {
// CHECK-NEXT:      plan.launch @relu_0(%[[X]], %[[Y]]) sizes [#{{.+}}] stages [#{{.+}}] {windowed = array<i64: 2048, 2048>}
// CHECK-NEXT:    }
// CHECK-NEXT:    plan.copy %[[T]] to %[[S]]
plan.entry @forward symbols ["N"] attributes {
    inputs = [{dims = ["N", 512], dtype = "f32", name = "x"}], outputs = [{dims = ["N", 512], dtype = "f32", name = "y"}],
    classes = [affine_map<()[s0] -> (1)>, affine_map<()[s0] -> (s0)>], peak = array<i64: 4096, 512>} {
  %x = plan.buffer input[0] class 1 at 0 size 2048 "f32"
  %y = plan.buffer output[0] class 1 at 0 size 2048 "f32"
  %w = plan.buffer parameter class 0 at 64 size 1048576 "f32"
  %t = plan.buffer arena class 1 at -1 size 2048 "f32"
  %s = plan.buffer state name "cache" class 1 at 0 size 2048 "f32"
  %p = plan.buffer arena class 0 at -1 size 65536 "f32"
  plan.fill %t with 0.0
  plan.launch @relu_0(%x, %y) sizes [affine_map<()[s0] -> (s0)>] stages [affine_map<()[s0] -> (s0 ceildiv 64)>]
  plan.gemm %x, %w transposed into %t m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (512)> k affine_map<()[s0] -> (512)>
  plan.gemm %x, %w into %t m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (512)> k affine_map<()[s0] -> (512)> beta 1.0
      epilogue @relu_0(%t, %y) sizes [affine_map<()[s0] -> (s0)>] rows_per_tile 64
  plan.gemm %x transposed, %w into %t workspace %p m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (512)> k affine_map<()[s0] -> (512)>
  plan.gemm %x, %w into %t workspace %p m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (512)> k affine_map<()[s0] -> (512)> beta 1.0
      epilogue @relu_0(%t, %y) sizes [affine_map<()[s0] -> (s0)>] rows_per_tile 64
  plan.slabs affine_map<()[s0] -> (s0)> by 256 {
    plan.launch @relu_0(%x, %y) sizes [affine_map<()[s0, s1] -> (s1)>] stages [affine_map<()[s0, s1] -> (s1 ceildiv 64)>] {windowed = array<i64: 2048, 2048>}
  }
  plan.copy %t to %s
}

// A view takes part of the rows of a buffer; kernels and launches agree on how far rows are apart.

// CHECK-LABEL: plan.kernel @relu_1 "map" stages 1 row_strides [1024, 0] {
plan.kernel @relu_1 "map" stages 1 row_strides [1024, 0] {
^bb0(%x: tensor<?x512xf32>):
  %y = bifocal.relu %x : tensor<?x512xf32>
  plan.return %y : tensor<?x512xf32>
}

// CHECK-LABEL: plan.entry @views
// CHECK:         %[[X:.+]] = plan.buffer input[0]
// CHECK:         %[[V:.+]] = plan.view %[[X]] column 512 width 512 of 1024
// CHECK:         plan.launch @relu_1(%[[V]], %{{.+}})
// CHECK:         plan.gemm %[[V]], %{{.+}} transposed into %{{.+}} m
plan.entry @views symbols ["N"] attributes {
    inputs = [{dims = ["N", 1024], dtype = "f32", name = "x"}], outputs = [{dims = ["N", 512], dtype = "f32", name = "y"}]} {
  %x = plan.buffer input[0] class 0 at 0 size 0 "f32"
  %y = plan.buffer output[0] class 0 at 0 size 0 "f32"
  %w = plan.buffer parameter class 0 at 64 size 1048576 "f32"
  %v = plan.view %x column 512 width 512 of 1024
  plan.launch @relu_1(%v, %y) sizes [affine_map<()[s0] -> (s0)>] stages [affine_map<()[s0] -> (s0 ceildiv 64)>]
  plan.gemm %v, %w transposed into %y m affine_map<()[s0] -> (s0)> n affine_map<()[s0] -> (512)> k affine_map<()[s0] -> (512)>
}
