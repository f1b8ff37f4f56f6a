// One op as the phase `optimize` leaves it: y = max(x, 0).
func.func @forward(%x: tensor<?x4xf32> {bifocal.name = "x", bifocal.dims = ["N", ""]})
    -> (tensor<?x4xf32> {bifocal.name = "y"}) {
  %y = bifocal.relu %x : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
