// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_POINTWISEOPS_TD
#define BIFOCAL_DIALECT_BIFOCAL_POINTWISEOPS_TD
include "dialect/bifocal/BifocalDialect.td"

def Bifocal_SiluOp : Bifocal_RowOp<"silu", [DeclareOpInterfaceMethods<DifferentiableOpInterface>, SameOperandsAndResultType]> {
  let summary = "an element times its sigmoid";
  let description = [{
        output = input * sigmoid(input)

    Both are tensors of any rank, one shape and one float type. The sigmoid is taken in f32.

    Example:

    ```mlir
    %y = bifocal.silu %x : tensor<?x?x1024xf32>
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$input);
  let results = (outs Bifocal_Tensor:$output);
  let assemblyFormat = "$input attr-dict `:` type($output)";
}

def Bifocal_SiluGradOp : Bifocal_RowOp<"silu_grad", [SameOperandsAndResultType]> {
  let summary = "gradient of silu";
  let description = [{
    With s = sigmoid(input):

        input_grad = output_grad * s * (1 + input * (1 - s))

    All are tensors of any rank, one shape and one float type.

    Example:

    ```mlir
    %dx = bifocal.silu_grad %g, %x : tensor<?x?x1024xf32>
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$output_grad, Bifocal_Tensor:$input);
  let results = (outs Bifocal_Tensor:$input_grad);
  let assemblyFormat = "$output_grad `,` $input attr-dict `:` type($input_grad)";
}

def Bifocal_MulOp : Bifocal_RowOp<"mul", [DeclareOpInterfaceMethods<DifferentiableOpInterface>, SameOperandsAndResultType, Commutative]> {
  let summary = "elementwise product";
  let description = [{
        output = lhs * rhs

    All are tensors of any rank, one shape and one float type.

    Example:

    ```mlir
    %y = bifocal.mul %x, %gate : tensor<?x?x512xf32>
    ```
  }];
  let arguments = (ins Bifocal_Tensor:$lhs, Bifocal_Tensor:$rhs);
  let results = (outs Bifocal_Tensor:$output);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($output)";
}
#endif
