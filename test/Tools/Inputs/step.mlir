// Two products, so that the one in between takes memory: 8 numbers for each of N rows.
func.func @train_step(%x: tensor<?x8xf32> {bifocal.name = "x", bifocal.dims = ["N", ""]},
                      %w: tensor<8x8xf32> {bifocal.name = "w"})
    -> (tensor<?x8xf32> {bifocal.name = "y"}) {
  %between = bifocal.linear %x, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
  %y = bifocal.linear %between, %w : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
