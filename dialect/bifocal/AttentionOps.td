// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_ATTENTIONOPS_TD
#define BIFOCAL_DIALECT_BIFOCAL_ATTENTIONOPS_TD
include "dialect/bifocal/BifocalDialect.td"

// query [B,T,C], key/value [B,S,C], mask [B,S] (true at real keys), lse [B,H,T] = log of the sum of exp of the scaled scores.
def Bifocal_AttentionOp : Bifocal_PureOp<"attention", [AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<DifferentiableOpInterface>]> {
  let summary = "multi-head scaled dot-product attention";
  let arguments = (ins Bifocal_Sequence:$query, Bifocal_Sequence:$key, Bifocal_Sequence:$value, Optional<Bifocal_Mask>:$mask,
    Optional<Bifocal_Rng>:$rng, I64Attr:$heads, F32Attr:$scale, UnitAttr:$causal,
    DefaultValuedAttr<F32Attr, "0.0f">:$drop_rate, DefaultValuedAttr<I32Attr, "0">:$site);
  let results = (outs Bifocal_Sequence:$output, 3DTensorOf<[F32]>:$lse);
  let assemblyFormat = [{ $query `,` $key `,` $value (`mask` $mask^)? (`rng` $rng^)? (`causal` $causal^)? attr-dict `:` functional-type(operands, results) }];
  let hasVerifier = 1;
}

def Bifocal_AttentionGradOp : Bifocal_PureOp<"attention_grad", [AttrSizedOperandSegments]> {
  let summary = "gradients of attention for query, key and value";
  let arguments = (ins Bifocal_Sequence:$output_grad, Bifocal_Sequence:$query, Bifocal_Sequence:$key, Bifocal_Sequence:$value,
    Bifocal_Sequence:$output, 3DTensorOf<[F32]>:$lse, Optional<Bifocal_Mask>:$mask, Optional<Bifocal_Rng>:$rng,
    I64Attr:$heads, F32Attr:$scale, UnitAttr:$causal,
    DefaultValuedAttr<F32Attr, "0.0f">:$drop_rate, DefaultValuedAttr<I32Attr, "0">:$site);
  let results = (outs Bifocal_Sequence:$query_grad, Bifocal_Sequence:$key_grad, Bifocal_Sequence:$value_grad);
  let assemblyFormat = [{ $output_grad `,` $query `,` $key `,` $value `,` $output `,` $lse (`mask` $mask^)? (`rng` $rng^)? (`causal` $causal^)? attr-dict `:` functional-type(operands, results) }];
  let hasVerifier = 1;
}

// Self-attention of the newest step. key_cache, value_cache: states [P, R, C]; the new key and value of row n are written at [step, n].
def Bifocal_AttentionStepOp : Bifocal_Op<"attention_step", [
    DeclareOpInterfaceMethods<CostOpInterface>, DeclareOpInterfaceMethods<SymbolicShapeOpInterface>,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "attention of the newest step over cached keys and values";
  let arguments = (ins Bifocal_Matrix:$query, Bifocal_Matrix:$key, Bifocal_Matrix:$value,
    2DTensorOf<[I32]>:$ancestors, 0DTensorOf<[I32]>:$step, FlatSymbolRefAttr:$key_cache, FlatSymbolRefAttr:$value_cache,
    I64Attr:$heads, F32Attr:$scale);
  let results = (outs Bifocal_Matrix:$output);
  let assemblyFormat = [{ $query `,` $key `,` $value `caches` $key_cache `,` $value_cache `ancestors` $ancestors `step` $step attr-dict `:` functional-type(operands, results) }];
  let hasVerifier = 1;
}

// Attention of the newest step to the encoder. keys, values: states [B, S, C]; mask: state [B, S] i1; sentences [N]: the batch row of each hypothesis.
def Bifocal_CrossAttentionStepOp : Bifocal_Op<"cross_attention_step", [
    DeclareOpInterfaceMethods<CostOpInterface>, DeclareOpInterfaceMethods<SymbolicShapeOpInterface>,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "attention of the newest step to the encoded source";
  let arguments = (ins Bifocal_Matrix:$query, 1DTensorOf<[I32]>:$sentences, FlatSymbolRefAttr:$keys, FlatSymbolRefAttr:$values,
    FlatSymbolRefAttr:$mask, I64Attr:$heads, F32Attr:$scale);
  let results = (outs Bifocal_Matrix:$output);
  let assemblyFormat = [{ $query `sentences` $sentences `states` $keys `,` $values `,` $mask attr-dict `:` functional-type(operands, results) }];
  let hasVerifier = 1;
}
#endif
