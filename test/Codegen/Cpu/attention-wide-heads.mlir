// RUN: bifocal compile %s --compile-from=import --target cpu:x86-64-v3,cpu:x86-64-v4 -o %t.bifocal

// What a strip of queries keeps lies on the stack of a thread: strips of wide heads have fewer queries.

func.func @attention(%g: tensor<?x?x512xf32> {bifocal.name = "g", bifocal.dims = ["B", "T", ""]}, %q: tensor<?x?x512xf32> {bifocal.name = "q", bifocal.dims = ["B", "T", ""]},
    %k: tensor<?x?x512xf32> {bifocal.name = "k", bifocal.dims = ["B", "T", ""]}, %v: tensor<?x?x512xf32> {bifocal.name = "v", bifocal.dims = ["B", "T", ""]})
    -> (tensor<?x?x512xf32> {bifocal.name = "y"}, tensor<?x?x512xf32> {bifocal.name = "dq"}, tensor<?x?x512xf32> {bifocal.name = "dk"}, tensor<?x?x512xf32> {bifocal.name = "dv"}) {
  %y, %lse = bifocal.attention %q, %k, %v causal {heads = 1 : i64, scale = 1.0 : f32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>) -> (tensor<?x?x512xf32>, tensor<?x1x?xf32>)
  %dq, %dk, %dv = bifocal.attention_grad %g, %q, %k, %v, %y, %lse causal {heads = 1 : i64, scale = 1.0 : f32} : (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x1x?xf32>) -> (tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>)
  return %y, %dq, %dk, %dv : tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xf32>
}

func.func @diff_attention(%g: tensor<?x?x384xf32> {bifocal.name = "g", bifocal.dims = ["B", "T", ""]}, %q: tensor<?x?x128xf32> {bifocal.name = "q", bifocal.dims = ["B", "T", ""]},
    %k: tensor<?x?x128xf32> {bifocal.name = "k", bifocal.dims = ["B", "T", ""]}, %v: tensor<?x?x384xf32> {bifocal.name = "v", bifocal.dims = ["B", "T", ""]}, %w: tensor<f32> {bifocal.name = "w", bifocal.dims = []})
    -> (tensor<?x?x384xf32> {bifocal.name = "y"}, tensor<?x?x128xf32> {bifocal.name = "dq"}, tensor<?x?x128xf32> {bifocal.name = "dk"}, tensor<?x?x384xf32> {bifocal.name = "dv"}, tensor<f32> {bifocal.name = "dw"}) {
  %y, %lse = bifocal.diff_attention %q, %k, %v lambda %w causal {heads = 1 : i64, scale = 1.0 : f32} : (tensor<?x?x128xf32>, tensor<?x?x128xf32>, tensor<?x?x384xf32>, tensor<f32>) -> (tensor<?x?x384xf32>, tensor<?x2x?xf32>)
  %dq, %dk, %dv, %dw = bifocal.diff_attention_grad %g, %q, %k, %v lambda %w lse %lse causal {heads = 1 : i64, scale = 1.0 : f32} : (tensor<?x?x384xf32>, tensor<?x?x128xf32>, tensor<?x?x128xf32>, tensor<?x?x384xf32>, tensor<f32>, tensor<?x2x?xf32>) -> (tensor<?x?x128xf32>, tensor<?x?x128xf32>, tensor<?x?x384xf32>, tensor<f32>)
  return %y, %dq, %dk, %dv, %dw : tensor<?x?x384xf32>, tensor<?x?x128xf32>, tensor<?x?x128xf32>, tensor<?x?x384xf32>, tensor<f32>
}
