// RUN: bifocal-opt %s --split-input-file --verify-diagnostics --bifocal-lower-to-plan

bifocal.param @a : tensor<16xf32> init {kind = "zeros"}
bifocal.param @b : tensor<16xf32> init {kind = "zeros"}
bifocal.param @c : tensor<16xf32> init {kind = "zeros"}

// The norm is taken over one range of the slab.
func.func @norm_with_a_gap(%count: tensor<f32> {bifocal.name = "count"}) -> (tensor<f32> {bifocal.name = "norm"}) {
  // expected-error@+1 {{expects parameters that are neighbours in the slab, but got 2 runs of them}}
  %norm = bifocal.global_norm %count of [@a, @c] : (tensor<f32>) -> tensor<f32>
  return %norm : tensor<f32>
}
