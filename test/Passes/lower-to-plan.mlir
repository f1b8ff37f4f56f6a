// RUN: bifocal-opt %s --split-input-file --bifocal-lower-to-plan --mlir-print-local-scope | FileCheck %s

// Arguments and results are bound to the caller's memory; an op is a launch of a kernel that holds a copy of it.

// CHECK-LABEL: plan.entry @launches_an_op symbols ["N"]
// CHECK-SAME:    inputs = [{dims = ["N", 8], dtype = "f32", name = "x"}]
// CHECK-SAME:    outputs = [{dims = ["N", 8], dtype = "f32", name = "y"}]
// CHECK-DAG:     %[[X:[0-9]+]] = plan.buffer input[0]
// CHECK-DAG:     %[[Y:[0-9]+]] = plan.buffer output[0]
// CHECK:         plan.launch @{{[a-z_0-9]+}}(%[[X]], %[[Y]]) sizes [affine_map<()[s0] -> (s0)>, affine_map<()[s0] -> (s0)>] stages [affine_map<()[s0] -> (s0 ceildiv {{[0-9]+}})>]
// CHECK:       plan.kernel
// CHECK:         bifocal.relu
func.func @launches_an_op(%x: tensor<?x8xf32> {bifocal.name = "x", bifocal.dims = ["N", ""]}) -> (tensor<?x8xf32> {bifocal.name = "y"}) {
  %y = bifocal.relu %x : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// Equal ops share a kernel, also when they draw at different sites: those are the last sizes of the launch. Other attributes
// make another kernel.

// CHECK-LABEL: plan.entry @shares_kernels
// CHECK:         plan.launch @[[A:[a-z_0-9]+]]({{.*}} sizes [{{.*}}affine_map<()[s0] -> (s0)>, affine_map<()[s0] -> (3)>]
// CHECK:         plan.launch @[[A]]({{.*}} sizes [{{.*}}affine_map<()[s0] -> (s0)>, affine_map<()[s0] -> (7)>]
// CHECK:         plan.launch @[[B:[a-z_0-9]+]](
// CHECK:         plan.kernel @[[A]] "dropout" stages 1 sites 1 {
// CHECK:           site = 0 : i32
// CHECK:         plan.kernel @[[B]]
// CHECK-NOT:     plan.kernel
func.func @shares_kernels(%x: tensor<?x8xf32> {bifocal.name = "x", bifocal.dims = ["N", ""]}, %rng: tensor<2xi64> {bifocal.name = "rng"})
    -> (tensor<?x8xf32> {bifocal.name = "y"}) {
  %a = bifocal.dropout %x, %rng {rate = 0.5 : f32, site = 3 : i32} : (tensor<?x8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %b = bifocal.dropout %a, %rng {rate = 0.5 : f32, site = 7 : i32} : (tensor<?x8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  %c = bifocal.dropout %b, %rng {rate = 0.25 : f32, site = 1 : i32} : (tensor<?x8xf32>, tensor<2xi64>) -> tensor<?x8xf32>
  return %c : tensor<?x8xf32>
}

// -----

// Bias and activation are the epilogue of their product and write where it wrote.

// CHECK-LABEL: plan.entry @activation_is_an_epilogue
// CHECK-DAG:     %[[X:[0-9]+]] = plan.buffer input[0]
// CHECK-DAG:     %[[W:[0-9]+]] = plan.buffer input[1]
// CHECK-DAG:     %[[B:[0-9]+]] = plan.buffer input[2]
// CHECK-DAG:     %[[Y:[0-9]+]] = plan.buffer output[0]
// CHECK:         plan.gemm %[[X]], %[[W]] transposed into %[[Y]] workspace %{{[0-9]+}} m affine_map<()[s0, s1] -> (s0 * s1)> n affine_map<()[s0, s1] -> (6)> k affine_map<()[s0, s1] -> (8)> epilogue @[[MAP:[a-z_0-9]+]](%[[Y]], %[[B]], %[[Y]])
// CHECK:       plan.kernel @[[MAP]]
// CHECK:         bifocal.add_bias
// CHECK:         bifocal.relu
func.func @activation_is_an_epilogue(%x: tensor<?x?x8xf32> {bifocal.name = "x", bifocal.dims = ["B", "T", ""]},
                                     %w: tensor<6x8xf32> {bifocal.name = "w"}, %b: tensor<6xf32> {bifocal.name = "b"})
    -> (tensor<?x?x6xf32> {bifocal.name = "y"}) {
  %y = bifocal.linear %x, %w bias %b activation relu : (tensor<?x?x8xf32>, tensor<6x8xf32>, tensor<6xf32>) -> tensor<?x?x6xf32>
  return %y : tensor<?x?x6xf32>
}

// -----

// The map that first reads a product runs on its rows while they are in cache; another reader comes later.

// CHECK-LABEL: plan.entry @first_map_is_an_epilogue
// CHECK:         plan.gemm %{{[0-9]+}}, %{{[0-9]+}} transposed into %[[SUMS:[0-9]+]] workspace %{{[0-9]+}} m {{.*}} epilogue @{{[a-z_0-9]+}}(%[[SUMS]], %{{[0-9]+}}, %[[G:[0-9]+]])
// CHECK:         plan.launch @{{[a-z_0-9]+}}(%[[G]], %[[SUMS]], %{{[0-9]+}})
func.func @first_map_is_an_epilogue(%x: tensor<?x?x8xf32> {bifocal.name = "x", bifocal.dims = ["B", "T", ""]},
                                    %w: tensor<6x8xf32> {bifocal.name = "w"}, %b: tensor<6xf32> {bifocal.name = "b"})
    -> (tensor<?x?x6xf32> {bifocal.name = "y"}) {
  %sums = bifocal.linear %x, %w : (tensor<?x?x8xf32>, tensor<6x8xf32>) -> tensor<?x?x6xf32>
  %g = bifocal.map (%s = %sums : tensor<?x?x6xf32>, %c = %b : tensor<6xf32>) -> (tensor<?x?x3xf32>) {
    %biased = bifocal.add_bias %s, %c : (tensor<?x?x6xf32>, tensor<6xf32>) -> tensor<?x?x6xf32>
    %gated = bifocal.glu %biased : (tensor<?x?x6xf32>) -> tensor<?x?x3xf32>
    bifocal.yield %gated : tensor<?x?x3xf32>
  }
  %y = bifocal.glu_grad %g, %sums : (tensor<?x?x3xf32>, tensor<?x?x6xf32>) -> tensor<?x?x6xf32>
  return %y : tensor<?x?x6xf32>
}

// -----

// Sums over rows need all rows: such a map is a launch of its own.

// CHECK-LABEL: plan.entry @keeps_map_with_column_sums
// CHECK:         plan.gemm
// CHECK-NOT:     epilogue
// CHECK:         plan.launch
func.func @keeps_map_with_column_sums(%x: tensor<?x?x8xf32> {bifocal.name = "x", bifocal.dims = ["B", "T", ""]},
                                      %w: tensor<6x8xf32> {bifocal.name = "w"}) -> (tensor<6xf32> {bifocal.name = "y"}) {
  %sums = bifocal.linear %x, %w : (tensor<?x?x8xf32>, tensor<6x8xf32>) -> tensor<?x?x6xf32>
  %y = bifocal.map (%s = %sums : tensor<?x?x6xf32>) -> (tensor<6xf32>) {
    %r = bifocal.relu %s : tensor<?x?x6xf32>
    %c = bifocal.column_sum %r : (tensor<?x?x6xf32>) -> tensor<6xf32>
    bifocal.yield %c : tensor<6xf32>
  }
  return %y : tensor<6xf32>
}

// -----

bifocal.param @w : tensor<40x8xf32> init {kind = "zeros"}

// A step of decoding has one row per hypothesis: it keeps the panels of its weights, once for each. Whole sequences do
// not; what updates the parameters does not either.

// CHECK-LABEL: plan.entry @step_keeps_panels
// CHECK:         %[[W:[0-9]+]] = plan.buffer parameter
// CHECK:         %[[P:[0-9]+]] = plan.buffer panels class 0 at 0 size 4096 "f32"
// CHECK-NOT:     plan.buffer panels class 0 at 0
// CHECK:         plan.gemm %{{[0-9]+}}, %[[W]] transposed into %{{[0-9]+}} workspace %[[P]]
// CHECK:         plan.gemm %{{[0-9]+}}, %[[W]] transposed into %{{[0-9]+}} workspace %[[P]]
// CHECK:         plan.gemm %{{[0-9]+}}, %[[W]] into %{{[0-9]+}} workspace %[[Q:[0-9]+]]
func.func @step_keeps_panels(%x: tensor<?x8xf32> {bifocal.name = "x", bifocal.dims = ["N", ""]},
                             %z: tensor<?x8xf32> {bifocal.name = "z", bifocal.dims = ["M", ""]})
    -> (tensor<?x40xf32> {bifocal.name = "a"}, tensor<?x40xf32> {bifocal.name = "b"}, tensor<?x8xf32> {bifocal.name = "c"}) {
  %w = bifocal.param_ref @w : tensor<40x8xf32>
  %a = bifocal.linear %x, %w : (tensor<?x8xf32>, tensor<40x8xf32>) -> tensor<?x40xf32>
  %b = bifocal.linear %z, %w : (tensor<?x8xf32>, tensor<40x8xf32>) -> tensor<?x40xf32>
  %c = bifocal.linear_input_grad %a, %w : (tensor<?x40xf32>, tensor<40x8xf32>) -> tensor<?x8xf32>
  return %a, %b, %c : tensor<?x40xf32>, tensor<?x40xf32>, tensor<?x8xf32>
}

// CHECK-LABEL: plan.entry @sequences_do_not
// CHECK-NOT:     plan.buffer panels
// CHECK:         plan.gemm
func.func @sequences_do_not(%x: tensor<?x?x8xf32> {bifocal.name = "x", bifocal.dims = ["B", "T", ""]})
    -> (tensor<?x?x40xf32> {bifocal.name = "y"}) {
  %w = bifocal.param_ref @w : tensor<40x8xf32>
  %y = bifocal.linear %x, %w : (tensor<?x?x8xf32>, tensor<40x8xf32>) -> tensor<?x?x40xf32>
  return %y : tensor<?x?x40xf32>
}

// -----

bifocal.param @first : tensor<4xf32> init {kind = "zeros"}
bifocal.param @w : tensor<6x8xf32> init {kind = "zeros"}

// A stored gradient is written where it stays; parameters lie 16 elements aligned. The workspace has room for 32
// columns per row.

// CHECK-LABEL: plan.entry @writes_gradients_in_place
// CHECK:         %[[SLAB:[0-9]+]] = plan.buffer gradient class 0 at 64 size 192 "f32"
// CHECK:         %[[PANELS:[0-9]+]] = plan.buffer arena class 1 at -1 size 128 "f32"
// CHECK:         plan.gemm %{{[0-9]+}} transposed, %{{[0-9]+}} into %[[SLAB]] workspace %[[PANELS]] m affine_map<()[s0] -> (6)> n affine_map<()[s0] -> (8)> k affine_map<()[s0] -> (s0)>{{$}}
// CHECK-NOT:     plan.copy

// CHECK-LABEL: plan.entry @adds_gradients_in_place
// CHECK:         %[[SLAB:[0-9]+]] = plan.buffer gradient class 0 at 64 size 192 "f32"
// CHECK:         plan.gemm %{{[0-9]+}} transposed, %{{[0-9]+}} into %[[SLAB]] workspace {{.*}} beta 1.000000e+00
func.func @writes_gradients_in_place(%dy: tensor<?x6xf32> {bifocal.name = "dy", bifocal.dims = ["N", ""]},
                                     %x: tensor<?x8xf32> {bifocal.name = "x", bifocal.dims = ["N", ""]}) {
  %dw = bifocal.linear_weight_grad %dy, %x : (tensor<?x6xf32>, tensor<?x8xf32>) -> tensor<6x8xf32>
  bifocal.store_gradient %dw into @w : tensor<6x8xf32>
  return
}
func.func @adds_gradients_in_place(%dy: tensor<?x6xf32> {bifocal.name = "dy", bifocal.dims = ["N", ""]},
                                   %x: tensor<?x8xf32> {bifocal.name = "x", bifocal.dims = ["N", ""]}) {
  %dw = bifocal.linear_weight_grad %dy, %x : (tensor<?x6xf32>, tensor<?x8xf32>) -> tensor<6x8xf32>
  bifocal.store_gradient %dw into @w accumulate : tensor<6x8xf32>
  return
}

// -----

// Logits of 512 rows live at a time; sums and the gradient of the weight start from zero. The last workspace has room
// for 32 columns of 512 rows, a sixteenth of them in each unit of its class.

// CHECK-LABEL: plan.entry @loss_in_slabs symbols ["B", "T"]
// CHECK-DAG:     %[[LOSS:[0-9]+]] = plan.buffer output[0]
// CHECK-DAG:     %[[DX:[0-9]+]] = plan.buffer output[1]
// CHECK-DAG:     %[[DW:[0-9]+]] = plan.buffer output[2]
// CHECK-DAG:     %[[X:[0-9]+]] = plan.buffer input[0]
// CHECK-DAG:     %[[W:[0-9]+]] = plan.buffer input[1]
// CHECK-DAG:     %[[TARGET:[0-9]+]] = plan.buffer input[2]
// CHECK-DAG:     %[[ROWS:[0-9]+]] = plan.buffer arena class 0 at -1 size 4096 "f32"
// CHECK:         plan.fill %[[LOSS]] with 0.0
// CHECK:         plan.fill %[[DW]] with 0.0
// CHECK:         plan.slabs affine_map<()[s0, s1] -> (s0 * s1)> by 512 {
// CHECK-NEXT:      plan.gemm %[[X]], %[[W]] transposed into %[[LOGITS:[0-9]+]] workspace %{{[0-9]+}} m affine_map<()[s0, s1, s2] -> (s2)> n {{.*}} {windowed = array<i64: 16, 0, 0>}
// CHECK-NEXT:      plan.launch @[[CE:[a-z_0-9]+]](%[[LOGITS]], %[[TARGET]], %[[LOSS]], {{.*}} {windowed = array<i64: 0, 4, 0
// CHECK-NEXT:      plan.launch @{{[a-z_0-9]+}}(%[[LOGITS]], %[[TARGET]], %[[LOGITS]])
// CHECK-NEXT:      plan.gemm %[[LOGITS]], %[[W]] into %[[DX]] workspace %{{[0-9]+}} {{.*}} {windowed = array<i64: 0, 0, 16>}
// CHECK-NEXT:      plan.gemm %[[LOGITS]] transposed, %[[X]] into %[[DW]] workspace %[[ROWS]] {{.*}} beta 1.000000e+00 {windowed = array<i64: 0, 16, 0>}
// CHECK-NEXT:    }
// CHECK:       plan.kernel @[[CE]] {{.*}} attributes {accumulate}
func.func @loss_in_slabs(%x: tensor<?x?x4xf32> {bifocal.name = "x", bifocal.dims = ["B", "T", ""]}, %w: tensor<9x4xf32> {bifocal.name = "w"},
                         %target: tensor<?x?xi32> {bifocal.name = "target", bifocal.dims = ["B", "T"]})
    -> (tensor<f32> {bifocal.name = "loss"}, tensor<?x?x4xf32> {bifocal.name = "dx"}, tensor<9x4xf32> {bifocal.name = "dw"}) {
  %loss, %nll, %count, %grads:2 = bifocal.projected_cross_entropy %x, %w, %target {ignore_index = 1 : i32, smoothing = 0.1 : f32}
      : (tensor<?x?x4xf32>, tensor<9x4xf32>, tensor<?x?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>, tensor<?x?x4xf32>, tensor<9x4xf32>)
  return %loss, %grads#0, %grads#1 : tensor<f32>, tensor<?x?x4xf32>, tensor<9x4xf32>
}

// -----

// With rows of bf16: the windows of input and gradient move by half as many bytes, logits and what adds up stay f32.

// CHECK-LABEL: plan.entry @narrow_loss_in_slabs
// CHECK-DAG:     %[[DX:[0-9]+]] = plan.buffer output[0] class 0 at 0 size 0 "bf16"
// CHECK-DAG:     %[[DW:[0-9]+]] = plan.buffer output[1] class 0 at 0 size 0 "f32"
// CHECK-DAG:     %[[X:[0-9]+]] = plan.buffer input[0] class 0 at 0 size 0 "bf16"
// CHECK-DAG:     %[[LOGITS:[0-9]+]] = plan.buffer arena class 0 at -1 size 1152 "f32"
// CHECK:         plan.slabs
// CHECK-NEXT:      plan.gemm %[[X]], %{{.*}} into %[[LOGITS]] {{.*}} {windowed = array<i64: 8, 0, 0>}
// CHECK:           plan.gemm %[[LOGITS]], %{{.*}} into %[[DX]] {{.*}} {windowed = array<i64: 0, 0, 8>}
// CHECK-NEXT:      plan.gemm %[[LOGITS]] transposed, %[[X]] into %[[DW]] {{.*}} {windowed = array<i64: 0, 8, 0>}
func.func @narrow_loss_in_slabs(%x: tensor<?x4xbf16> {bifocal.name = "x", bifocal.dims = ["N", ""]}, %w: tensor<9x4xf32> {bifocal.name = "w"},
                                %target: tensor<?xi32> {bifocal.name = "target", bifocal.dims = ["N"]})
    -> (tensor<?x4xbf16> {bifocal.name = "dx"}, tensor<9x4xf32> {bifocal.name = "dw"}) {
  %loss, %nll, %count, %grads:2 = bifocal.projected_cross_entropy %x, %w, %target {ignore_index = 1 : i32}
      : (tensor<?x4xbf16>, tensor<9x4xf32>, tensor<?xi32>) -> (tensor<f32>, tensor<f32>, tensor<f32>, tensor<?x4xbf16>, tensor<9x4xf32>)
  return %grads#0, %grads#1 : tensor<?x4xbf16>, tensor<9x4xf32>
}

// -----

// Panels hold factors: those of bf16 are others than those of f32, and two products of one kind share theirs.

// CHECK-LABEL: plan.entry @panels_by_factor
// CHECK:         %[[WIDE:[0-9]+]] = plan.buffer panels class 0 at 0 size 2048 "f32"
// CHECK:         %[[NARROW:[0-9]+]] = plan.buffer panels class 0 at 2048 size 2048 "f32"
// CHECK:         plan.gemm %{{[0-9]+}}, %{{[0-9]+}} transposed into %{{[0-9]+}} workspace %[[WIDE]]
// CHECK-NEXT:    plan.gemm %{{[0-9]+}}, %{{[0-9]+}} transposed into %{{[0-9]+}} workspace %[[NARROW]]
// CHECK-NEXT:    plan.gemm %{{[0-9]+}}, %{{[0-9]+}} transposed into %{{[0-9]+}} workspace %[[NARROW]]
bifocal.param @w : tensor<8x8xf32> init {kind = "zeros"}
func.func @panels_by_factor(%x: tensor<?x8xf32> {bifocal.name = "x", bifocal.dims = ["N", ""]}, %y: tensor<?x8xbf16> {bifocal.name = "y", bifocal.dims = ["N", ""]})
    -> (tensor<?x8xf32> {bifocal.name = "a"}, tensor<?x8xbf16> {bifocal.name = "b"}, tensor<?x8xf32> {bifocal.name = "c"}) {
  %w = bifocal.param_ref @w : tensor<8x8xf32>
  %a = bifocal.linear %x, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
  %b = bifocal.linear %y, %w : (tensor<?x8xbf16>, tensor<8x8xf32>) -> tensor<?x8xbf16>
  %c = bifocal.linear %y, %w : (tensor<?x8xbf16>, tensor<8x8xf32>) -> tensor<?x8xf32>
  return %a, %b, %c : tensor<?x8xf32>, tensor<?x8xbf16>, tensor<?x8xf32>
}

// -----

// Quantised panels are kept, whatever the rows are, and shared by weight-only products and others; the epilogue stays.

// CHECK-LABEL: plan.entry @quantized_panels
// CHECK:         %[[BYTES:[0-9]+]] = plan.buffer panels class 0 at 0 size 1152 "f32"
// CHECK:         plan.gemm %{{[0-9]+}}, %{{[0-9]+}} transposed into %{{[0-9]+}} workspace %[[BYTES]] quantized factors {{.*}} epilogue
// CHECK:         plan.gemm %{{[0-9]+}}, %{{[0-9]+}} transposed into %{{[0-9]+}} workspace %[[BYTES]] quantized weights
bifocal.param @w : tensor<8x8xf32> init {kind = "zeros"}
func.func @quantized_panels(%x: tensor<?x?x8xf32> {bifocal.name = "x", bifocal.dims = ["B", "S", ""]})
    -> (tensor<?x?x8xf32> {bifocal.name = "a"}, tensor<?x?x8xf32> {bifocal.name = "b"}) {
  %w = bifocal.param_ref @w : tensor<8x8xf32>
  %a = bifocal.linear %x, %w activation relu quantization factors : (tensor<?x?x8xf32>, tensor<8x8xf32>) -> tensor<?x?x8xf32>
  %b = bifocal.linear %x, %w quantization weights : (tensor<?x?x8xf32>, tensor<8x8xf32>) -> tensor<?x?x8xf32>
  return %a, %b : tensor<?x?x8xf32>, tensor<?x?x8xf32>
}

// -----

// An argument that is returned is copied: both belong to the caller.

// CHECK-LABEL: plan.entry @copies_a_returned_argument
// CHECK:         plan.copy
func.func @copies_a_returned_argument(%x: tensor<?x8xf32> {bifocal.name = "x", bifocal.dims = ["N", ""]}) -> (tensor<?x8xf32> {bifocal.name = "y"}) {
  return %x : tensor<?x8xf32>
}

// -----

// Products, split from their activation or not, have the masks of their ops; in the windows of a loss the mask moves by a
// byte per row.

// CHECK-LABEL: plan.entry @products_have_masks
// CHECK-DAG:     %[[MASK:[0-9]+]] = plan.buffer input[3]
// CHECK:         plan.gemm %{{[0-9]+}}, %{{[0-9]+}} transposed into %{{[0-9]+}} mask %[[MASK]] workspace {{.*}} epilogue
// CHECK:         plan.gemm %{{[0-9]+}}, %{{[0-9]+}} into %{{[0-9]+}} mask %[[MASK]] workspace
// CHECK:         plan.gemm %{{[0-9]+}} transposed, %{{[0-9]+}} into %{{[0-9]+}} mask %[[MASK]] workspace
// CHECK:         plan.slabs
// CHECK:           plan.gemm {{.*}} mask %[[MASK]] {{.*}} {windowed = array<i64: 24, 0, 0, 1>}
// CHECK:           plan.gemm {{.*}} mask %[[MASK]] {{.*}} {windowed = array<i64: 0, 0, 24, 1>}
// CHECK:           plan.gemm {{.*}} mask %[[MASK]] {{.*}} {windowed = array<i64: 0, 24, 0, 1>}
func.func @products_have_masks(%x: tensor<?x8xf32> {bifocal.name = "x", bifocal.dims = ["N", ""]}, %w: tensor<6x8xf32> {bifocal.name = "w"},
                               %v: tensor<9x6xf32> {bifocal.name = "v"}, %mask: tensor<?xi1> {bifocal.name = "mask", bifocal.dims = ["N"]},
                               %target: tensor<?xi32> {bifocal.name = "target", bifocal.dims = ["N"]})
    -> (tensor<?x8xf32> {bifocal.name = "dx"}, tensor<6x8xf32> {bifocal.name = "dw"}, tensor<f32> {bifocal.name = "loss"},
        tensor<?x6xf32> {bifocal.name = "dy"}, tensor<9x6xf32> {bifocal.name = "dv"}) {
  %y = bifocal.linear %x, %w mask %mask activation relu : (tensor<?x8xf32>, tensor<6x8xf32>, tensor<?xi1>) -> tensor<?x6xf32>
  %dx = bifocal.linear_input_grad %y, %w mask %mask : (tensor<?x6xf32>, tensor<6x8xf32>, tensor<?xi1>) -> tensor<?x8xf32>
  %dw = bifocal.linear_weight_grad %y, %x mask %mask : (tensor<?x6xf32>, tensor<?x8xf32>, tensor<?xi1>) -> tensor<6x8xf32>
  %loss, %nll, %count, %grads:2 = bifocal.projected_cross_entropy %y, %v, %target mask %mask {ignore_index = 1 : i32}
      : (tensor<?x6xf32>, tensor<9x6xf32>, tensor<?xi32>, tensor<?xi1>) -> (tensor<f32>, tensor<f32>, tensor<f32>, tensor<?x6xf32>, tensor<9x6xf32>)
  return %dx, %dw, %loss, %grads#0, %grads#1 : tensor<?x8xf32>, tensor<6x8xf32>, tensor<f32>, tensor<?x6xf32>, tensor<9x6xf32>
}

// -----

// What another entry left is read where it lies, and is not written over.

bifocal.state @left : tensor<?x8xf32> dims ["P", ""]
// CHECK-LABEL: plan.entry @reads_a_state
// CHECK-DAG:     %[[S:[0-9]+]] = plan.buffer state name "left"
// CHECK-DAG:     %[[Y:[0-9]+]] = plan.buffer output[0]
// CHECK-DAG:     %[[Z:[0-9]+]] = plan.buffer output[1]
// CHECK:         plan.launch @{{[a-z_0-9]+}}(%[[S]], %[[Y]])
// CHECK:         plan.copy %[[S]] to %[[Z]]
func.func @reads_a_state() -> (tensor<?x8xf32> {bifocal.name = "y"}, tensor<?x8xf32> {bifocal.name = "z"}) {
  %r = bifocal.state_read @left : tensor<?x8xf32>
  %y = bifocal.relu %r : tensor<?x8xf32>
  return %y, %r : tensor<?x8xf32>, tensor<?x8xf32>
}
