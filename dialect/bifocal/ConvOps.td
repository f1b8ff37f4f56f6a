// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_CONVOPS_TD
#define BIFOCAL_DIALECT_BIFOCAL_CONVOPS_TD
include "dialect/bifocal/BifocalDialect.td"

// taps: [H, 1, K] as in the state dict; head of channel c is c / (C / H). Optional operands are in brackets in the assembly.
def Bifocal_LightConvOp : Bifocal_PureOp<"light_conv", [AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<DifferentiableOpInterface>, AllTypesMatch<["input", "output"]>]> {
  let summary = "convolution over time whose filters are shared by the channels of a head";
  let arguments = (ins Bifocal_Sequence:$input, Bifocal_Sequence:$taps, Optional<Bifocal_Vector>:$bias,
    Optional<Bifocal_Rng>:$rng, I64Attr:$left_padding, UnitAttr:$normalized,
    DefaultValuedAttr<F32Attr, "0.0f">:$drop_rate, DefaultValuedAttr<I32Attr, "0">:$site);
  let results = (outs Bifocal_Sequence:$output);
  let assemblyFormat = [{ $input `,` $taps (`bias` $bias^)? (`rng` $rng^)? (`normalized` $normalized^)? attr-dict `:` functional-type(operands, results) }];
  let hasVerifier = 1;
}

def Bifocal_LightConvGradOp : Bifocal_PureOp<"light_conv_grad"> {
  let summary = "gradients of light_conv for its input and its taps";
  let arguments = (ins Bifocal_Sequence:$output_grad, Bifocal_Sequence:$input, Bifocal_Sequence:$taps,
    Optional<Bifocal_Rng>:$rng, I64Attr:$left_padding, UnitAttr:$normalized,
    DefaultValuedAttr<F32Attr, "0.0f">:$drop_rate, DefaultValuedAttr<I32Attr, "0">:$site);
  let results = (outs Bifocal_Sequence:$input_grad, Bifocal_Sequence:$taps_grad);
  let assemblyFormat = [{ $output_grad `,` $input `,` $taps (`rng` $rng^)? (`normalized` $normalized^)? attr-dict `:` functional-type(operands, results) }];
  let hasVerifier = 1;
}

// taps: [B, T, H * K], row h * K + k.
def Bifocal_DynamicConvOp : Bifocal_PureOp<"dynamic_conv", [AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<DifferentiableOpInterface>, AllTypesMatch<["input", "output"]>]> {
  let summary = "convolution over time with own taps at every position";
  let arguments = (ins Bifocal_Sequence:$input, Bifocal_Sequence:$taps, Optional<Bifocal_Vector>:$bias,
    Optional<Bifocal_Rng>:$rng, I64Attr:$heads, I64Attr:$left_padding, UnitAttr:$normalized, UnitAttr:$renormalized, UnitAttr:$compat,
    DefaultValuedAttr<F32Attr, "0.0f">:$drop_rate, DefaultValuedAttr<I32Attr, "0">:$site);
  let results = (outs Bifocal_Sequence:$output);
  let assemblyFormat = [{ $input `,` $taps (`bias` $bias^)? (`rng` $rng^)? (`normalized` $normalized^)? (`renormalized` $renormalized^)? (`compat` $compat^)? attr-dict `:` functional-type(operands, results) }];
  let extraClassDeclaration = [{ int64_t getKernelSize(); }];
  let hasVerifier = 1;
}

def Bifocal_DynamicConvGradOp : Bifocal_PureOp<"dynamic_conv_grad"> {
  let summary = "gradients of dynamic_conv for its input and its taps";
  let arguments = (ins Bifocal_Sequence:$output_grad, Bifocal_Sequence:$input, Bifocal_Sequence:$taps,
    Optional<Bifocal_Rng>:$rng, I64Attr:$heads, I64Attr:$left_padding, UnitAttr:$normalized, UnitAttr:$renormalized, UnitAttr:$compat,
    DefaultValuedAttr<F32Attr, "0.0f">:$drop_rate, DefaultValuedAttr<I32Attr, "0">:$site);
  let results = (outs Bifocal_Sequence:$input_grad, Bifocal_Sequence:$taps_grad);
  let assemblyFormat = [{ $output_grad `,` $input `,` $taps (`rng` $rng^)? (`normalized` $normalized^)? (`renormalized` $renormalized^)? (`compat` $compat^)? attr-dict `:` functional-type(operands, results) }];
  let extraClassDeclaration = [{ int64_t getKernelSize(); }];
  let hasVerifier = 1;
}

// One step of decoding. cache: symbol of a bifocal.state [K, R, C], slot of step t is t mod K; ancestors: [N, P] i32; step: i32 scalar.
// Causal only (left_padding = K - 1). Writes the input into the cache at [step mod K, n], then reads steps step-K+1..step.
def Bifocal_LightConvStepOp : Bifocal_Op<"light_conv_step", [AllTypesMatch<["input", "output"]>,
    DeclareOpInterfaceMethods<CostOpInterface>, DeclareOpInterfaceMethods<SymbolicShapeOpInterface>,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "light_conv of the newest step over a cache of inputs";
  let arguments = (ins Bifocal_Matrix:$input, Bifocal_Sequence:$taps, Optional<Bifocal_Vector>:$bias,
    2DTensorOf<[I32]>:$ancestors, 0DTensorOf<[I32]>:$step, FlatSymbolRefAttr:$cache, UnitAttr:$normalized);
  let results = (outs Bifocal_Matrix:$output);
  let assemblyFormat = [{ $input `,` $taps (`bias` $bias^)? `cache` $cache `ancestors` $ancestors `step` $step (`normalized` $normalized^)? attr-dict `:` functional-type(operands, results) }];
  let hasVerifier = 1;
}

def Bifocal_DynamicConvStepOp : Bifocal_Op<"dynamic_conv_step", [AllTypesMatch<["input", "output"]>,
    DeclareOpInterfaceMethods<CostOpInterface>, DeclareOpInterfaceMethods<SymbolicShapeOpInterface>,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "dynamic_conv of the newest step over a cache of inputs";
  let arguments = (ins Bifocal_Matrix:$input, Bifocal_Matrix:$taps, Optional<Bifocal_Vector>:$bias,
    2DTensorOf<[I32]>:$ancestors, 0DTensorOf<[I32]>:$step, FlatSymbolRefAttr:$cache, I64Attr:$heads, UnitAttr:$normalized, UnitAttr:$renormalized, UnitAttr:$compat);
  let results = (outs Bifocal_Matrix:$output);
  let assemblyFormat = [{ $input `,` $taps (`bias` $bias^)? `cache` $cache `ancestors` $ancestors `step` $step (`normalized` $normalized^)? (`renormalized` $renormalized^)? (`compat` $compat^)? attr-dict `:` functional-type(operands, results) }];
  let hasVerifier = 1;
}
#endif
