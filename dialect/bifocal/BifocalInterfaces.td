// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_BIFOCALINTERFACES_TD
#define BIFOCAL_DIALECT_BIFOCAL_BIFOCALINTERFACES_TD

include "mlir/IR/OpBase.td"

def DifferentiableOpInterface : OpInterface<"DifferentiableOpInterface"> {
  let cppNamespace = "::bifocal";
  let description = [{
    An op that can say how the gradient of a sum flows through it. Everything that the gradient reads from the
    forward pass is an SSA value of the forward pass: that is what "saved for backward" means here.
  }];
  let methods = [InterfaceMethod<[{
      Builds the gradients of the operands. `resultGrads[i]` is the gradient of result i, or null where no gradient
      flows. Writes one value per operand into `operandGrads`; null where the operand has none (tokens, masks, rng).
    }], "::llvm::LogicalResult", "buildGradient",
    (ins "::mlir::OpBuilder &":$builder, "::llvm::ArrayRef<::mlir::Value>":$resultGrads,
         "::llvm::SmallVectorImpl<::mlir::Value> &":$operandGrads)>];
}

def FusibleOpInterface : OpInterface<"FusibleOpInterface"> {
  let cppNamespace = "::bifocal";
  let description = [{
    An op that can run inside a `bifocal.map`: row by row, where a row is the last axis. `rowReduction` ops need
    the whole row before their first output element; a map has at most one of them.
  }];
  let methods = [InterfaceMethod<"Whether the op reduces over the row.", "bool", "isRowReduction">,
                 InterfaceMethod<"Whether the op also sums over rows (its last results are column sums).", "bool", "hasColumnSums",
                   (ins), [{}], [{ return false; }]>];
}

def CostOpInterface : OpInterface<"CostOpInterface"> {
  let cppNamespace = "::bifocal";
  let description = [{ Floating point operations and compulsory bytes as functions of the symbolic sizes. }];
  let methods = [InterfaceMethod<"Operations (a multiply-add counts two) given the dims of operands, then results.",
    "::mlir::AffineExpr", "getFlops", (ins "const ::bifocal::SymbolicDims &":$dims)>,
    InterfaceMethod<"Bytes that any implementation has to move: every operand, result and touched state once.",
    "::mlir::AffineExpr", "getBytes", (ins "const ::bifocal::SymbolicDims &":$dims), [{}],
    [{ return ::bifocal::compulsoryBytes($_op.getOperation(), dims); }]>];
}

def OptimizerOpInterface : OpInterface<"OptimizerOpInterface"> {
  let cppNamespace = "::bifocal";
  let description = [{
    One update of the parameters that `params` lists, in place, from their gradients: `factor` makes a gradient of a sum
    one of a mean, `hyper` has the rates, `clear_gradients` leaves gradients of zero. What an optimizer remembers of each
    element lies in slabs with the offsets of the parameters.
  }];
  let methods = [
    InterfaceMethod<"The parameters.", "::mlir::ArrayAttr", "getParams">,
    InterfaceMethod<"Replaces the parameters.", "void", "setParamsAttr", (ins "::mlir::ArrayAttr":$params)>,
    InterfaceMethod<"Numbers that it remembers of every element: 1 or 2.", "int64_t", "getMoments">,
    InterfaceMethod<"Whether an element's update reads no other element, so that parameters may be joined to one range.",
      "bool", "isElementwise", (ins), [{}], [{ return true; }]>];
}

def SymbolicShapeOpInterface : OpInterface<"SymbolicShapeOpInterface"> {
  let cppNamespace = "::bifocal";
  let description = [{
    Dims as expressions over the named symbols (`B`, `S`, `T`, ...) that the arguments of a function carry in
    `bifocal.dims`; `results` gets one list of dims per result.
  }];
  let methods = [InterfaceMethod<"Infers the dims of the results from those of the operands.",
    "void", "inferSymbolicDims", (ins "::llvm::ArrayRef<::bifocal::Dims>":$operands,
                                      "::llvm::SmallVectorImpl<::bifocal::Dims> &":$results)>];
}

#endif
