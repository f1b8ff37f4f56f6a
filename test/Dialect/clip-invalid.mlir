// RUN: bifocal-opt %s --split-input-file --verify-diagnostics

func.func @hyper_of_three(%n: tensor<f32>, %h: tensor<3xf32>) {
  // expected-error@+1 {{operand #2 must be learning rate, corrected learning rate, clip norm and a reserved place, tensor<4xf32>, but got 'tensor<3xf32>'}}
  %f = bifocal.clip %n, %n, %h : (tensor<f32>, tensor<f32>, tensor<3xf32>) -> tensor<f32>
  return
}
