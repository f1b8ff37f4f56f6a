// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"
#include "dialect/bifocal/ShapeRules.h"
#include "llvm/ADT/BitVector.h"

using namespace mlir;

namespace bifocal {

/// map (%a = %x : type, %b = %y : type as type in the body, ...) -> (types) attributes {...} { body }
ParseResult MapOp::parse(OpAsmParser &parser, OperationState &result) {
  SmallVector<OpAsmParser::Argument> arguments;
  SmallVector<OpAsmParser::UnresolvedOperand> operands;
  SmallVector<Type> types;
  SMLoc start = parser.getCurrentLocation();
  auto parseInput = [&]() -> ParseResult {
    OpAsmParser::Argument &argument = arguments.emplace_back();
    if (parser.parseArgument(argument) || parser.parseEqual() || parser.parseOperand(operands.emplace_back()) ||
        parser.parseColonType(types.emplace_back()))
      return failure();
    argument.type = types.back();
    return failure(succeeded(parser.parseOptionalKeyword("as")) && parser.parseType(argument.type));
  };
  if (parser.parseCommaSeparatedList(OpAsmParser::Delimiter::Paren, parseInput) ||
      parser.parseArrowTypeList(result.types) || parser.parseOptionalAttrDictWithKeyword(result.attributes) ||
      parser.resolveOperands(operands, types, start, result.operands))
    return failure();
  return parser.parseRegion(*result.addRegion(), arguments, /*enableNameShadowing=*/true);
}

void MapOp::print(OpAsmPrinter &printer) {
  printer << " (";
  llvm::interleaveComma(llvm::zip_equal(getBody().getArguments(), getInputs()), printer, [&](auto pair) {
    auto [argument, input] = pair;
    printer << argument << " = " << input << " : " << input.getType();
    if (argument.getType() != input.getType())
      printer << " as " << argument.getType();
  });
  printer << ')';
  printer.printArrowTypeList(getResultTypes());
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs());
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

/// The shape of the rows that an op of a map runs over: ids are rows by themselves, other operands end in channels.
static ArrayRef<int64_t> rowShape(Operation *op) {
  return isa<EmbeddingOp>(op) ? shapeOf(op->getOperand(0)) : rowsOf(op->getOperand(0));
}

/// Results that are complete only after the last row.
static ValueRange columnSums(Operation *op) { return op->getResults().drop_front(isa<ColumnSumOp>(op) ? 0 : 1); }

/// Whether a tensor of type `outer` in memory may be one of type `inner` in the body.
static bool typesAgree(Type outer, Type inner) {
  auto left = cast<ShapedType>(outer), right = cast<ShapedType>(inner);
  bool floats = isa<FloatType>(left.getElementType()) && isa<FloatType>(right.getElementType());
  return outer == inner || (floats && left.getShape() == right.getShape());
}

static LogicalResult verifyTypes(MapOp map, StringRef what, TypeRange outer, TypeRange inner) {
  if (outer.size() != inner.size())
    return map.emitOpError("expects one ") << what << ", but got " << outer.size() << " and " << inner.size();
  for (auto [index, left, right] : llvm::enumerate(outer, inner))
    if (!typesAgree(left, right))
      return map.emitOpError("expects the types of ")
             << what << " to be equal, but number " << index << " has " << left << " and " << right;
  return success();
}

static LogicalResult verifyBody(MapOp map) {
  Operation *reduction = nullptr, *first = nullptr;
  for (Operation &op : map.getBody().front().without_terminator()) {
    // (C3)
    auto fusible = dyn_cast<FusibleOpInterface>(op);
    if (!fusible)
      return map.emitOpError("expects only row-wise ops in its body, but got '") << op.getName() << "'";
    // (C7)
    if (int64_t groups = normGroups(&op); groups != 1)
      return map.emitOpError("expects norms of whole rows, but '") << op.getName() << "' has " << groups << " groups";
    // (C4)
    if (fusible.isRowReduction()) {
      if (reduction)
        return map.emitOpError("expects at most one row reduction, but got '")
               << reduction->getName() << "' and '" << op.getName() << "'";
      reduction = &op;
    }
    // (C5)
    if (!first)
      first = &op;
    ArrayRef<int64_t> rows = rowShape(first), own = rowShape(&op);
    bool same = rows.size() == own.size() && llvm::all_of(llvm::zip_equal(rows, own), [](auto sizes) {
                  return !sizesDiffer(std::get<0>(sizes), std::get<1>(sizes));
                });
    if (!same)
      return map.emitOpError("expects ops over the same rows, but '")
             << first->getName() << "' runs over " << shapeText(rows) << " and '" << op.getName() << "' over "
             << shapeText(own);
    // (C6)
    if (fusible.hasColumnSums())
      for (Value sum : columnSums(&op))
        for (Operation *user : sum.getUsers())
          if (!isa<YieldOp>(user))
            return map.emitOpError("expects sums over rows to be only yielded, but '")
                   << user->getName() << "' reads one of '" << op.getName() << "'";
  }
  return success();
}

LogicalResult MapOp::verify() {
  Block &body = getBody().front();
  // (C1)
  if (failed(verifyTypes(*this, "input per block argument", getInputs().getTypes(), body.getArgumentTypes())))
    return failure();
  // (C2)
  auto yield = dyn_cast_or_null<YieldOp>(body.empty() ? nullptr : &body.back());
  if (!yield)
    return emitOpError("expects a body that ends in 'bifocal.yield'");
  if (failed(verifyTypes(*this, "result per yielded value", getResultTypes(), yield.getValues().getTypes())))
    return failure();
  return verifyBody(*this);
}

/// Visits the ops of the body with their symbolic dims. Returns the dims of the yielded values.
static SmallVector<Dims> walkBody(MapOp map, ArrayRef<Dims> operands,
                                  llvm::function_ref<void(Operation *, const SymbolicDims &)> visit) {
  llvm::DenseMap<Value, Dims> known;
  Block &body = map.getBody().front();
  for (auto [argument, dims] : llvm::zip_equal(body.getArguments(), operands))
    known[argument] = dims;
  for (Operation &op : body.without_terminator()) {
    SymbolicDims dims;
    for (Value operand : op.getOperands())
      dims.operands.push_back(known[operand]);
    cast<SymbolicShapeOpInterface>(op).inferSymbolicDims(dims.operands, dims.results);
    for (auto [result, resultDims] : llvm::zip_equal(op.getResults(), dims.results))
      known[result] = resultDims;
    visit(&op, dims);
  }
  SmallVector<Dims> yielded;
  for (Value value : body.getTerminator()->getOperands())
    yielded.push_back(known[value]);
  return yielded;
}

void MapOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  llvm::append_range(results, walkBody(*this, operands, [](Operation *, const SymbolicDims &) {}));
}

AffineExpr MapOp::getFlops(const SymbolicDims &dims) {
  AffineExpr flops = getAffineConstantExpr(0, getContext());
  walkBody(*this, dims.operands, [&](Operation *op, const SymbolicDims &inner) {
    flops = flops + cast<CostOpInterface>(op).getFlops(inner);
  });
  return flops;
}

namespace {
/// An input that nobody reads disappears; an input given twice is read once.
struct DropMapInputs : OpRewritePattern<MapOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MapOp map, PatternRewriter &rewriter) const override {
    Block &body = map.getBody().front();
    llvm::BitVector dropped(body.getNumArguments());
    llvm::DenseMap<Value, unsigned> seen;
    for (unsigned i = 0; i < body.getNumArguments(); ++i) {
      auto [place, isNew] = seen.try_emplace(map.getInputs()[i], i);
      if (!isNew && body.getArgument(i).getType() == body.getArgument(place->second).getType())
        rewriter.replaceAllUsesWith(body.getArgument(i), body.getArgument(place->second));
      if (body.getArgument(i).use_empty())
        dropped.set(i);
    }
    if (dropped.none())
      return rewriter.notifyMatchFailure(map, "every input is read");
    rewriter.modifyOpInPlace(map, [&] {
      map->eraseOperands(dropped);
      body.eraseArguments(dropped);
    });
    return success();
  }
};

/// A result that nobody reads is no longer yielded.
struct DropMapResults : OpRewritePattern<MapOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MapOp map, PatternRewriter &rewriter) const override {
    auto yield = cast<YieldOp>(map.getBody().front().getTerminator());
    SmallVector<Value> values, replaced;
    SmallVector<Type> types;
    for (OpResult result : map.getResults()) {
      if (result.use_empty())
        continue;
      replaced.push_back(result);
      values.push_back(yield.getValues()[result.getResultNumber()]);
      types.push_back(result.getType());
    }
    if (replaced.size() == map.getNumResults())
      return rewriter.notifyMatchFailure(map, "every result is read");
    rewriter.modifyOpInPlace(yield, [&] { yield.getValuesMutable().assign(values); });
    auto smaller =
        rewriter.create<MapOp>(map.getLoc(), types, map.getInputs(), llvm::to_vector(map->getDiscardableAttrs()));
    rewriter.inlineRegionBefore(map.getBody(), smaller.getBody(), smaller.getBody().end());
    for (auto [before, after] : llvm::zip_equal(replaced, smaller.getResults()))
      rewriter.replaceAllUsesWith(before, after);
    rewriter.eraseOp(map);
    return success();
  }
};
} // namespace

void MapOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<DropMapInputs, DropMapResults>(context);
}

} // namespace bifocal
