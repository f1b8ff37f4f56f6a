// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A sum over rows of more columns than fit shared memory.
func.func @wide(%x: tensor<?x60000xf32> {bifocal.name = "x", bifocal.dims = ["N", ""]}) -> (tensor<60000xf32> {bifocal.name = "y"}) {
  %y = bifocal.column_sum %x : (tensor<?x60000xf32>) -> tensor<60000xf32>
  return %y : tensor<60000xf32>
}
