// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_LOSSOPS_TD
#define BIFOCAL_DIALECT_BIFOCAL_LOSSOPS_TD
include "dialect/bifocal/BifocalDialect.td"

// logits [..., V], targets [...]; sums over targets != ignore_index: nll = -lp[t]; loss = (1 - e - e/(V-1)) nll + e/(V-1) sum_v -lp[v]; count.
def Bifocal_CrossEntropyOp : Bifocal_PureOp<"cross_entropy", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "label-smoothed cross-entropy, summed over the targets";
  let arguments = (ins Bifocal_Tensor:$logits, Bifocal_Tokens:$targets, DefaultValuedAttr<F32Attr, "0.0f">:$smoothing, I32Attr:$ignore_index);
  let results = (outs Bifocal_Scalar:$loss, Bifocal_Scalar:$nll, Bifocal_Scalar:$count);
  let assemblyFormat = "$logits `,` $targets attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
// loss_grad: the gradient of the scalar loss (1 in a training step).
def Bifocal_CrossEntropyGradOp : Bifocal_PureOp<"cross_entropy_grad"> {
  let summary = "gradient of cross_entropy for its logits";
  let arguments = (ins Bifocal_Tensor:$logits, Bifocal_Tokens:$targets, Optional<Bifocal_Scalar>:$loss_grad, DefaultValuedAttr<F32Attr, "0.0f">:$smoothing, I32Attr:$ignore_index);
  let results = (outs Bifocal_Tensor:$logits_grad);
  let assemblyFormat = "$logits `,` $targets (`loss_grad` $loss_grad^)? attr-dict `:` functional-type(operands, results)";
  let hasCanonicalizeMethod = 1;
  let hasVerifier = 1;
}
// linear without bias, then cross_entropy, in slabs of rows: no [..., V] tensor lives as a whole. With input_grad and weight_grad: both, for a loss gradient of 1.
def Bifocal_ProjectedCrossEntropyOp : Bifocal_PureOp<"projected_cross_entropy"> {
  let summary = "output projection and cross-entropy in one";
  let arguments = (ins Bifocal_Tensor:$input, Bifocal_Matrix:$weight, Bifocal_Tokens:$targets, DefaultValuedAttr<F32Attr, "0.0f">:$smoothing, I32Attr:$ignore_index);
  let results = (outs Bifocal_Scalar:$loss, Bifocal_Scalar:$nll, Bifocal_Scalar:$count, Variadic<Bifocal_Tensor>:$gradients);
  let extraClassDeclaration = [{
    /// The gradients, or null values where the op computes only the loss.
    ::mlir::Value getInputGrad() { return getGradients().empty() ? ::mlir::Value() : getGradients()[0]; }
    ::mlir::Value getWeightGrad() { return getGradients().size() < 2 ? ::mlir::Value() : getGradients()[1]; }
  }];
  let assemblyFormat = "$input `,` $weight `,` $targets attr-dict `:` functional-type(operands, results)";
  let hasCanonicalizeMethod = 1;
  let hasVerifier = 1;
}
def Bifocal_LogSoftmaxOp : Bifocal_PureOp<"log_softmax", [SameOperandsAndResultType]> {
  let summary = "logarithm of the softmax over the last axis";
  let arguments = (ins Bifocal_Tensor:$input);
  let results = (outs Bifocal_Tensor:$output);
  let assemblyFormat = "$input attr-dict `:` type($output)";
}
#endif
