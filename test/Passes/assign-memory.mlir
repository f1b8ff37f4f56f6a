// RUN: bifocal-opt %s --split-input-file --bifocal-assign-memory --bifocal-verify-memory | FileCheck %s

// Buffers that do not live at the same time share their place; the peak is what lives at once.

// CHECK-LABEL: plan.entry @reuses_places
// CHECK-SAME:    peak = array<i64: 512>
// CHECK-NEXT:    %[[A:[0-9]+]] = plan.buffer arena class 0 at 0 size 256 "f32"
// CHECK-NEXT:    %[[B:[0-9]+]] = plan.buffer arena class 0 at 256 size 256 "f32"
// CHECK-NEXT:    %[[C:[0-9]+]] = plan.buffer arena class 0 at 0 size 256 "f32"
plan.entry @reuses_places symbols [] attributes {inputs = [], outputs = [], classes = [affine_map<() -> (1)>], peak = array<i64: 0>} {
  %a = plan.buffer arena class 0 at -1 size 256 "f32"
  %b = plan.buffer arena class 0 at -1 size 256 "f32"
  %c = plan.buffer arena class 0 at -1 size 256 "f32"
  plan.fill %a with 0.0
  plan.copy %a to %b
  plan.copy %b to %c
  plan.copy %c to %b
}

// -----

// Every size class is a block of its own: their units differ.

// CHECK-LABEL: plan.entry @keeps_classes_apart
// CHECK-SAME:    peak = array<i64: 64, 128>
plan.entry @keeps_classes_apart symbols ["N"] attributes {inputs = [], outputs = [], classes = [affine_map<()[s0] -> (1)>, affine_map<()[s0] -> (s0)>], peak = array<i64: 0, 0>} {
  %a = plan.buffer arena class 0 at -1 size 64 "f32"
  %b = plan.buffer arena class 1 at -1 size 128 "f32"
  plan.fill %a with 0.0
  plan.fill %b with 0.0
}

// -----

// What nobody uses takes no place.

// CHECK-LABEL: plan.entry @drops_unused
// CHECK-SAME:    peak = array<i64: 0>
// CHECK-NOT:     plan.buffer
plan.entry @drops_unused symbols [] attributes {inputs = [], outputs = [], classes = [affine_map<() -> (1)>], peak = array<i64: 0>} {
  %a = plan.buffer arena class 0 at -1 size 64 "f32"
}

// -----

// The products of a loop take turns with one place for their workspaces, which `%c` between them does not.

// CHECK-LABEL: plan.entry @workspaces_take_turns
// CHECK-SAME:    peak = array<i64: 1152>
// CHECK:         %[[C:.+]] = plan.buffer arena class 0 at 1024 size 128 "f32"
// CHECK:         %[[W:.+]] = plan.buffer arena class 0 at 0 size 1024 "f32"
// CHECK:         %[[V:.+]] = plan.buffer arena class 0 at 0 size 512 "f32"
plan.entry @workspaces_take_turns symbols ["N"] attributes {inputs = [], outputs = [], classes = [affine_map<()[s0] -> (1)>], peak = array<i64: 0>} {
  %a = plan.buffer parameter class 0 at 0 size 16 "f32"
  %b = plan.buffer gradient class 0 at 0 size 16 "f32"
  %c = plan.buffer arena class 0 at -1 size 128 "f32"
  %w = plan.buffer arena class 0 at -1 size 1024 "f32"
  %v = plan.buffer arena class 0 at -1 size 512 "f32"
  plan.slabs affine_map<()[s0] -> (s0)> by 512 {
    plan.gemm %a, %a into %c workspace %w m affine_map<()[s0, s1] -> (s1)> n affine_map<()[s0, s1] -> (4)> k affine_map<()[s0, s1] -> (4)> {windowed = array<i64: 0, 0, 0>}
    plan.gemm %c, %a into %b workspace %v m affine_map<()[s0, s1] -> (4)> n affine_map<()[s0, s1] -> (4)> k affine_map<()[s0, s1] -> (s1)> {windowed = array<i64: 0, 0, 0>}
  }
}

// -----

// A buffer that a kernel also reads through a view is not overwritten by it; it lives as long as the view.

plan.kernel @add_0 "add" stages 1 row_strides [0, 8, 0] {
^bb0(%a: tensor<?x8xf32>, %b: tensor<?x8xf32>):
  %y = bifocal.add %a, %b : tensor<?x8xf32>
  plan.return %y : tensor<?x8xf32>
}
// CHECK-LABEL: plan.entry @keeps_what_a_view_shows
// CHECK:         %[[A:[0-9]+]] = plan.buffer arena class 0 at 0 size 32 "f32"
// CHECK:         %[[Y:[0-9]+]] = plan.buffer arena class 0 at 32 size 32 "f32"
// CHECK:         %[[Z:[0-9]+]] = plan.buffer arena class 0 at 64 size 32 "f32"
plan.entry @keeps_what_a_view_shows symbols ["N"] attributes {inputs = [], outputs = [], classes = [affine_map<()[s0] -> (s0)>], peak = array<i64: 0>} {
  %a = plan.buffer arena class 0 at -1 size 32 "f32"
  %y = plan.buffer arena class 0 at -1 size 32 "f32"
  %z = plan.buffer arena class 0 at -1 size 32 "f32"
  %v = plan.view %a column 0 width 8 of 8
  plan.fill %a with 0.0
  plan.launch @add_0(%a, %v, %y) sizes [affine_map<()[s0] -> (s0)>, affine_map<()[s0] -> (s0)>, affine_map<()[s0] -> (s0)>] stages [affine_map<()[s0] -> (s0 ceildiv 128)>]
  plan.copy %y to %z
  plan.launch @add_0(%y, %v, %z) sizes [affine_map<()[s0] -> (s0)>, affine_map<()[s0] -> (s0)>, affine_map<()[s0] -> (s0)>] stages [affine_map<()[s0] -> (s0 ceildiv 128)>]
}
