// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_BIFOCALDIALECT_TD
#define BIFOCAL_DIALECT_BIFOCAL_BIFOCALDIALECT_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "dialect/bifocal/BifocalInterfaces.td"

def Bifocal_Dialect : Dialect {
  let name = "bifocal";
  let cppNamespace = "::bifocal";
  let summary = "what the layers of a sequence model compute";
  let hasConstantMaterializer = 0;
  let useDefaultAttributePrinterParser = 0;
}

class Bifocal_Op<string mnemonic, list<Trait> traits = []> : Op<Bifocal_Dialect, mnemonic, traits>;

// A value-semantics op: pure, with symbolic shapes and a cost.
class Bifocal_PureOp<string mnemonic, list<Trait> traits = []>
    : Bifocal_Op<mnemonic, !listconcat([Pure, DeclareOpInterfaceMethods<CostOpInterface>,
                                        DeclareOpInterfaceMethods<SymbolicShapeOpInterface>], traits)>;

// A pointwise op or a row reduction that a map may hold.
class Bifocal_RowOp<string mnemonic, list<Trait> traits = []>
    : Bifocal_PureOp<mnemonic, !listconcat([DeclareOpInterfaceMethods<FusibleOpInterface>], traits)>;

def Bifocal_Float : AnyTypeOf<[F32, BF16, F16]>;
def Bifocal_Tensor : ConfinedType<RankedTensorOf<[Bifocal_Float]>, [HasRankGreaterOrEqualPred<1>],
                                  "ranked tensor of f32, bf16 or f16 with at least one axis">;
def Bifocal_Vector : 1DTensorOf<[Bifocal_Float]>;
def Bifocal_Matrix : 2DTensorOf<[Bifocal_Float]>;
def Bifocal_Sequence : 3DTensorOf<[Bifocal_Float]>;
def Bifocal_Tokens : RankedTensorOf<[I32]>;
def Bifocal_Mask : RankedTensorOf<[I1]>;
def Bifocal_Scalar : 0DTensorOf<[F32]>;
class Bifocal_FixedVector<Type element, int size, string summary>
    : ConfinedType<1DTensorOf<[element]>, [CPred<"::llvm::cast<::mlir::ShapedType>($_self).getDimSize(0) == " # size>], summary>;
def Bifocal_Rng : Bifocal_FixedVector<I64, 2, "seed and draw counter, tensor<2xi64>">;
def Bifocal_Hyper : Bifocal_FixedVector<F32, 4,
    "learning rate, corrected learning rate, clip norm and a reserved place, tensor<4xf32>">;
def Bifocal_RowStat : RankedTensorOf<[F32]>;

#endif
