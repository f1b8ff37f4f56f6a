// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_DENSEOPS_TD
#define BIFOCAL_DIALECT_BIFOCAL_DENSEOPS_TD
include "dialect/bifocal/BifocalDialect.td"

def Bifocal_Activation : I32EnumAttr<"Activation", "what a linear applies to its sums", [
    I32EnumAttrCase<"none", 0>, I32EnumAttrCase<"relu", 1>, I32EnumAttrCase<"glu", 2>]> {
  let cppNamespace = "::bifocal";
}

// A pointwise op over rows that a map may hold.
class Bifocal_RowOp<string mnemonic, list<Trait> traits = []>
    : Bifocal_PureOp<mnemonic, !listconcat([DeclareOpInterfaceMethods<FusibleOpInterface>], traits)>;

// weight: [O, I] as in the state dict. output: [..., O], or [..., O/2] with glu. preactivation: [..., O], present when the backward pass reads it.
def Bifocal_LinearOp : Bifocal_PureOp<"linear", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "affine map of the last axis";
  let arguments = (ins Bifocal_Tensor:$input, Bifocal_Matrix:$weight, Optional<Bifocal_Vector>:$bias,
    DefaultValuedAttr<Bifocal_Activation, "::bifocal::Activation::none">:$activation);
  let results = (outs Bifocal_Tensor:$output, Optional<Bifocal_Tensor>:$preactivation);
  let assemblyFormat = [{ $input `,` $weight (`bias` $bias^)? (`activation` $activation^)? attr-dict `:` functional-type(operands, results) }];
  let hasVerifier = 1;
}
def Bifocal_LinearInputGradOp : Bifocal_PureOp<"linear_input_grad"> {
  let summary = "gradient of linear for its input";
  let arguments = (ins Bifocal_Tensor:$output_grad, Bifocal_Matrix:$weight);
  let results = (outs Bifocal_Tensor:$input_grad);
  let assemblyFormat = "$output_grad `,` $weight attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
def Bifocal_LinearWeightGradOp : Bifocal_PureOp<"linear_weight_grad"> {
  let summary = "gradient of linear for its weight: the sum over all rows of output_grad times input";
  let arguments = (ins Bifocal_Tensor:$output_grad, Bifocal_Tensor:$input);
  let results = (outs Bifocal_Matrix:$weight_grad);
  let assemblyFormat = "$output_grad `,` $input attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
def Bifocal_ColumnSumOp : Bifocal_PureOp<"column_sum", [DeclareOpInterfaceMethods<FusibleOpInterface, ["hasColumnSums"]>]> {
  let summary = "sum over all rows";
  let arguments = (ins Bifocal_Tensor:$input);
  let results = (outs Bifocal_Vector:$output);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

// ids: [...] i32, output: [..., C] = scale * table[ids]; the row `pad` of the table gets no gradient.
def Bifocal_EmbeddingOp : Bifocal_RowOp<"embedding", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "rows of a table";
  let arguments = (ins Bifocal_Tokens:$ids, Bifocal_Matrix:$table, DefaultValuedAttr<F32Attr, "1.0f">:$scale, DefaultValuedAttr<I32Attr, "-1">:$pad);
  let results = (outs Bifocal_Tensor:$output);
  let assemblyFormat = "$ids `,` $table attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
// initial: added to the result (the other gradients of a tied table).
def Bifocal_EmbeddingGradOp : Bifocal_PureOp<"embedding_grad"> {
  let summary = "gradient of embedding for its table";
  let arguments = (ins Bifocal_Tokens:$ids, Bifocal_Tensor:$output_grad, Optional<Bifocal_Matrix>:$initial,
    DefaultValuedAttr<F32Attr, "1.0f">:$scale, DefaultValuedAttr<I32Attr, "-1">:$pad);
  let results = (outs Bifocal_Matrix:$table_grad);
  let assemblyFormat = "$ids `,` $output_grad (`initial` $initial^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
// output[b,t] = pad + number of tokens != pad in tokens[b, 0..t] for a real token, pad for padding.
def Bifocal_PositionsOp : Bifocal_PureOp<"positions"> {
  let summary = "position ids of real tokens";
  let arguments = (ins Bifocal_Tokens:$tokens, I32Attr:$pad);
  let results = (outs Bifocal_Tokens:$output);
  let assemblyFormat = "$tokens attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
def Bifocal_PaddingMaskOp : Bifocal_PureOp<"padding_mask"> {
  let summary = "true at real tokens";
  let arguments = (ins Bifocal_Tokens:$tokens, I32Attr:$pad);
  let results = (outs Bifocal_Mask:$mask);
  let assemblyFormat = "$tokens attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
def Bifocal_MaskPaddingOp : Bifocal_RowOp<"mask_padding", [DeclareOpInterfaceMethods<DifferentiableOpInterface>, AllTypesMatch<["input", "output"]>]> {
  let summary = "zero where the mask is false";
  let arguments = (ins Bifocal_Tensor:$input, Bifocal_Mask:$mask);
  let results = (outs Bifocal_Tensor:$output);
  let assemblyFormat = "$input `,` $mask attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

// mean, rstd: [...] without the last axis, saved for the backward pass.
def Bifocal_LayerNormOp : Bifocal_RowOp<"layer_norm", [DeclareOpInterfaceMethods<DifferentiableOpInterface>, AllTypesMatch<["input", "output"]>]> {
  let summary = "normalisation of the last axis to mean 0 and variance 1, then scale and bias";
  let arguments = (ins Bifocal_Tensor:$input, Bifocal_Vector:$scale, Bifocal_Vector:$bias, DefaultValuedAttr<F32Attr, "1.0e-5f">:$epsilon);
  let results = (outs Bifocal_Tensor:$output, Bifocal_RowStat:$mean, Bifocal_RowStat:$rstd);
  let assemblyFormat = "$input `,` $scale `,` $bias attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
def Bifocal_LayerNormGradOp : Bifocal_PureOp<"layer_norm_grad", [DeclareOpInterfaceMethods<FusibleOpInterface, ["hasColumnSums"]>]> {
  let summary = "gradients of layer_norm for input, scale and bias";
  let arguments = (ins Bifocal_Tensor:$output_grad, Bifocal_Tensor:$input, Bifocal_Vector:$scale, Bifocal_RowStat:$mean, Bifocal_RowStat:$rstd);
  let results = (outs Bifocal_Tensor:$input_grad, Bifocal_Vector:$scale_grad, Bifocal_Vector:$bias_grad);
  let assemblyFormat = "$output_grad `,` $input `,` $scale `,` $mean `,` $rstd attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

// Element e (row-major) is kept when its Philox draw is >= rate: key = rng[0], counter = (e / 4, site, rng[1]), lane e % 4; kept values are scaled by 1/(1-rate).
// Linear in its input: its gradient is itself.
def Bifocal_DropoutOp : Bifocal_RowOp<"dropout", [DeclareOpInterfaceMethods<DifferentiableOpInterface>, AllTypesMatch<["input", "output"]>]> {
  let summary = "zeroes elements at random and scales the rest";
  let arguments = (ins Bifocal_Tensor:$input, Bifocal_Rng:$rng, F32Attr:$rate, I32Attr:$site);
  let results = (outs Bifocal_Tensor:$output);
  let assemblyFormat = "$input `,` $rng attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let hasFolder = 1;
}
def Bifocal_ReluOp : Bifocal_RowOp<"relu", [DeclareOpInterfaceMethods<DifferentiableOpInterface>, SameOperandsAndResultType]> {
  let summary = "max(x, 0)";
  let arguments = (ins Bifocal_Tensor:$input);
  let results = (outs Bifocal_Tensor:$output);
  let assemblyFormat = "$input attr-dict `:` type($output)";
  let hasFolder = 1;
}
def Bifocal_ReluGradOp : Bifocal_RowOp<"relu_grad", [SameOperandsAndResultType]> {
  let summary = "output_grad where the output of relu is positive";
  let arguments = (ins Bifocal_Tensor:$output_grad, Bifocal_Tensor:$output);
  let results = (outs Bifocal_Tensor:$input_grad);
  let assemblyFormat = "$output_grad `,` $output attr-dict `:` type($input_grad)";
}
// input: [..., 2C], output: [..., C] = first half times sigmoid of the second.
def Bifocal_GluOp : Bifocal_RowOp<"glu", [DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "gated linear unit";
  let arguments = (ins Bifocal_Tensor:$input);
  let results = (outs Bifocal_Tensor:$output);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
def Bifocal_GluGradOp : Bifocal_RowOp<"glu_grad"> {
  let summary = "gradient of glu";
  let arguments = (ins Bifocal_Tensor:$output_grad, Bifocal_Tensor:$input);
  let results = (outs Bifocal_Tensor:$input_grad);
  let assemblyFormat = "$output_grad `,` $input attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
def Bifocal_AddOp : Bifocal_RowOp<"add", [DeclareOpInterfaceMethods<DifferentiableOpInterface>, SameOperandsAndResultType, Commutative]> {
  let summary = "sum";
  let arguments = (ins Bifocal_Tensor:$lhs, Bifocal_Tensor:$rhs);
  let results = (outs Bifocal_Tensor:$output);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($output)";
  let hasCanonicalizer = 1;
}
// bias: [C], added to every row. Made by passes from a linear's bias; differentiable all the same.
def Bifocal_AddBiasOp : Bifocal_RowOp<"add_bias", [DeclareOpInterfaceMethods<DifferentiableOpInterface>, AllTypesMatch<["input", "output"]>]> {
  let summary = "sum of every row with one vector";
  let arguments = (ins Bifocal_Tensor:$input, Bifocal_Vector:$bias);
  let results = (outs Bifocal_Tensor:$output);
  let assemblyFormat = "$input `,` $bias attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
// group: the last axis is cut into groups of so many neighbours, each normalised on its own.
def Bifocal_SoftmaxOp : Bifocal_PureOp<"softmax", [DeclareOpInterfaceMethods<DifferentiableOpInterface>, AllTypesMatch<["input", "output"]>]> {
  let summary = "softmax over groups of the last axis";
  let arguments = (ins Bifocal_Tensor:$input, I64Attr:$group);
  let results = (outs Bifocal_Tensor:$output);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
def Bifocal_SoftmaxGradOp : Bifocal_PureOp<"softmax_grad", [AllTypesMatch<["output_grad", "output", "input_grad"]>]> {
  let summary = "gradient of softmax";
  let arguments = (ins Bifocal_Tensor:$output_grad, Bifocal_Tensor:$output, I64Attr:$group);
  let results = (outs Bifocal_Tensor:$input_grad);
  let assemblyFormat = "$output_grad `,` $output attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
#endif
