// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/plan/PlanOps.h"

#include "mlir/IR/DialectImplementation.h"

using namespace mlir;
using namespace bifocal::plan;

#include "dialect/plan/PlanDialect.cpp.inc"
#include "dialect/plan/PlanEnums.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialect/plan/PlanTypes.cpp.inc"
#define GET_OP_CLASSES
#include "dialect/plan/PlanOps.cpp.inc"

void PlanDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialect/plan/PlanTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialect/plan/PlanOps.cpp.inc"
      >();
}

BufferOp bifocal::plan::wholeOf(Value value) {
  if (auto view = value.getDefiningOp<ViewOp>())
    value = view.getWhole();
  return value.getDefiningOp<BufferOp>();
}

int64_t bifocal::plan::rowStrideOf(Value value) {
  auto view = value.getDefiningOp<ViewOp>();
  return view ? static_cast<int64_t>(view.getRow()) : 0;
}

static LogicalResult verifyNoView(Operation *op, StringRef name, Value value) {
  if (!value || !value.getDefiningOp<ViewOp>())
    return success();
  return op->emitOpError("expects '") << name << "' to be a whole buffer, but got a view";
}

/// A size: one expression, symbols only.
static LogicalResult verifyExpression(Operation *op, StringRef name, AffineMap map) {
  if (map.getNumDims() == 0 && map.getNumResults() == 1)
    return success();
  return op->emitOpError("expects '") << name << "' to be one expression without dims, but got " << map.getNumResults()
                                      << " expressions and " << map.getNumDims() << " dims";
}

static LogicalResult verifyExpressions(Operation *op, StringRef name, ArrayAttr maps) {
  for (auto map : maps.getAsRange<AffineMapAttr>())
    if (failed(verifyExpression(op, name, map.getValue())))
      return failure();
  return success();
}

static LogicalResult verifyRowStrides(KernelOp op) {
  if (!op.getRowStrides())
    return success();
  SmallVector<Type> types(op.getBody().getArgumentTypes());
  llvm::append_range(types, op.getBody().front().back().getOperandTypes());
  ArrayRef<int64_t> strides = *op.getRowStrides();
  if (strides.size() != types.size())
    return op.emitOpError("expects a row stride for each of ")
           << types.size() << " arguments and returned values, but got " << strides.size();
  for (auto [index, stride, type] : llvm::enumerate(strides, types)) {
    auto shaped = dyn_cast<ShapedType>(type);
    int64_t channels = shaped && shaped.getRank() > 0 ? shaped.getShape().back() : 1;
    if (stride != 0 && stride < channels)
      return op.emitOpError("expects row stride ")
             << index << " to be 0 or at least the " << channels << " channels of its tensor, but got " << stride;
  }
  return success();
}

LogicalResult KernelOp::verify() {
  // (C1)
  if (auto stages = static_cast<int64_t>(getStages()); stages < 1)
    return emitOpError("expects stages >= 1, but got ") << stages;
  // (C2)
  Block &body = getBody().front();
  if (body.empty() || !isa<ReturnOp>(body.back()))
    return emitOpError("expects a body that ends in 'plan.return'");
  if (body.getOperations().size() != 2 || !llvm::equal(body.front().getResults(), body.back().getOperands()))
    return emitOpError("expects one op whose results are returned in order");
  // (C3)
  auto sites = static_cast<int64_t>(getSites());
  if (sites < 0)
    return emitOpError("expects sites >= 0, but got ") << sites;
  WalkResult result = getBody().walk([&](Operation *op) {
    auto site = op->getAttrOfType<IntegerAttr>("site");
    if (!site || sites == 0 || (site.getInt() >= 0 && site.getInt() < sites))
      return WalkResult::advance();
    op->emitOpError("expects a site below the kernel's sites, ") << sites << ", but got " << site.getInt();
    return WalkResult::interrupt();
  });
  // (C4)
  return result.wasInterrupted() ? failure() : verifyRowStrides(*this);
}

static LogicalResult verifyTensors(EntryOp op, StringRef what, ArrayAttr tensors) {
  for (auto [index, tensor] : llvm::enumerate(tensors)) {
    // (C1)
    auto fields = dyn_cast<DictionaryAttr>(tensor);
    auto dims = fields ? fields.getAs<ArrayAttr>("dims") : ArrayAttr();
    if (!dims || !fields.getAs<StringAttr>("name") || !fields.getAs<StringAttr>("dtype"))
      return op.emitOpError("expects a string 'name', a string 'dtype' and an array 'dims' in every ")
             << what << ", but number " << index << " is " << tensor;
    // (C2)
    for (Attribute dim : dims)
      if (!isa<IntegerAttr>(dim) && !llvm::is_contained(op.getSymbols(), dim))
        return op.emitOpError("expects every dim to be an integer or a symbol of the entry, but ")
               << what << " number " << index << " has " << dim;
  }
  return success();
}

LogicalResult EntryOp::verify() {
  if (failed(verifyTensors(*this, "input", getInputs())) || failed(verifyTensors(*this, "output", getOutputs())))
    return failure();
  // (C3)
  if (getPeak().size() != getClasses().size())
    return emitOpError("expects one peak per size class, but got ")
           << getPeak().size() << " peaks and " << getClasses().size() << " classes";
  // (C4)
  for (Attribute sizeClass : getClasses()) {
    auto map = dyn_cast<AffineMapAttr>(sizeClass);
    if (!map)
      return emitOpError("expects every class to be an affine map, but got ") << sizeClass;
    if (failed(verifyExpression(*this, "classes", map.getValue())))
      return failure();
    if (map.getValue().getNumSymbols() > getSymbols().size())
      return emitOpError("expects classes over the symbols of the entry, but got ")
             << map.getValue().getNumSymbols() << " and " << getSymbols().size() << " symbols";
  }
  return success();
}

LogicalResult BufferOp::verify() {
  // (C1)
  int64_t size = getSize(), sizeClass = getClassIndex(), offset = getOffset();
  if (size < 0 || sizeClass < 0 || offset < -1)
    return emitOpError("expects size >= 0, class >= 0 and offset >= -1, but got size ")
           << size << ", class " << sizeClass << " and offset " << offset;
  // (C2)
  static constexpr StringLiteral types[] = {"f32", "bf16", "f16", "i32", "i64", "i1"};
  if (!llvm::is_contained(types, getDtype()))
    return emitOpError("expects an element type f32, bf16, f16, i32, i64 or i1, but got '") << getDtype() << "'";
  // (C3)
  bool bound = getRegion() == Region::input || getRegion() == Region::output;
  if (bound != getIndex().has_value())
    return emitOpError("expects an index exactly where the region is input or output, but got ")
           << (bound ? "none" : "one") << " in the region " << stringifyRegion(getRegion());
  // (C4)
  if (getRegion() == Region::state && !getName())
    return emitOpError("expects the name of the state, but got none");
  return success();
}

LogicalResult ViewOp::verify() {
  // (C1)
  auto whole = getWhole().getDefiningOp<BufferOp>();
  if (!whole)
    return emitOpError("expects a view of a 'plan.buffer'");
  if (whole.getRegion() == Region::panels)
    return emitOpError("expects a view of a buffer with rows, but got panels");
  // (C2)
  int64_t column = getColumn(), width = getWidth(), row = getRow();
  if (column < 0 || width < 1 || column > row - width)
    return emitOpError("expects columns within the row, but got ") << width << " from " << column << " of " << row;
  return success();
}

LogicalResult FillOp::verify() {
  // (C1)
  return verifyNoView(*this, "buffer", getBuffer());
}

LogicalResult CopyOp::verify() {
  // (C1)
  return failure(failed(verifyNoView(*this, "from", getFrom())) || failed(verifyNoView(*this, "to", getTo())));
}

LogicalResult LaunchOp::verify() {
  // (C2)
  if (getWindowed() && getWindowed()->size() != getBuffers().size())
    return emitOpError("expects one element of 'windowed' per buffer, but got ")
           << getWindowed()->size() << " elements and " << getBuffers().size() << " buffers";
  // (C3)
  if (failed(verifyExpressions(*this, "sizes", getSizes())))
    return failure();
  return verifyExpressions(*this, "stages", getStages());
}

static FailureOr<KernelOp> lookUpKernel(Operation *op, FlatSymbolRefAttr name, SymbolTableCollection &tables) {
  auto kernel = tables.lookupNearestSymbolFrom<KernelOp>(op, name);
  if (!kernel)
    return op->emitOpError("expects the name of a 'plan.kernel', but there is none named '") << name.getValue() << "'";
  return kernel;
}

/// Whether views are where the code of `kernel` counts on them.
static LogicalResult verifyViews(Operation *step, KernelOp kernel, ValueRange buffers) {
  ArrayRef<int64_t> strides = kernel.getRowStrides().value_or(ArrayRef<int64_t>());
  for (auto [index, buffer] : llvm::enumerate(buffers)) {
    int64_t expected = index < strides.size() ? strides[index] : 0, stride = rowStrideOf(buffer);
    if (stride != expected)
      return step->emitOpError("expects buffer ")
             << index << " with a row stride of " << expected << ", as its kernel has, but got " << stride;
  }
  return success();
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &tables) {
  // (C1)
  FailureOr<KernelOp> kernel = lookUpKernel(*this, getKernelAttr(), tables);
  if (failed(kernel))
    return failure();
  if (kernel->getStages() != getStages().size())
    return emitOpError("expects one number of tiles per stage of the kernel, but got ")
           << getStages().size() << " numbers and " << kernel->getStages() << " stages";
  // (C4)
  return verifyViews(*this, *kernel, getBuffers());
}

static LogicalResult verifyWorkspace(GemmOp op) {
  auto buffer = op.getWorkspace() ? op.getWorkspace().getDefiningOp<BufferOp>() : BufferOp();
  if (!buffer)
    return success();
  bool kept = buffer.getRegion() == bifocal::plan::Region::panels;
  if ((!kept && buffer.getRegion() != bifocal::plan::Region::arena) || buffer.getDtype() != "f32")
    return op.emitOpError("expects a workspace of f32 in the arena or in the panels, but got ")
           << buffer.getDtype() << " in '" << stringifyRegion(buffer.getRegion()) << "'";
  auto source = op.getB().getDefiningOp<BufferOp>();
  if (kept && source && source.getRegion() != bifocal::plan::Region::parameter)
    return op.emitOpError("expects panels of a parameter, but got b in '")
           << stringifyRegion(source.getRegion()) << "'";
  if (kept && op.getWindowed() && (*op.getWindowed())[1] != 0)
    return op.emitOpError("expects panels of a whole parameter, but b moves with the window");
  if (llvm::count(op->getOperands(), op.getWorkspace()) > 1)
    return op.emitOpError("expects a workspace that is none of its other buffers");
  return success();
}

static LogicalResult verifyElements(GemmOp op) {
  StringRef narrow;
  for (auto [name, value] : {std::pair("a", op.getA()), std::pair("b", op.getB()), std::pair("c", op.getC())}) {
    BufferOp buffer = wholeOf(value);
    if (!buffer || buffer.getDtype() == "f32")
      continue;
    if (buffer.getDtype() != "bf16" && buffer.getDtype() != "f16")
      return op.emitOpError("expects '") << name << "' of f32, bf16 or f16, but got " << buffer.getDtype();
    if (!narrow.empty() && narrow != buffer.getDtype())
      return op.emitOpError("expects one type of 16 bits, but got ") << narrow << " and " << buffer.getDtype();
    narrow = buffer.getDtype();
  }
  return success();
}

static LogicalResult verifyQuantization(GemmOp op) {
  if (op.getQuantization() == Quantization::none)
    return success();
  for (auto [name, value] : {std::pair("a", op.getA()), std::pair("b", op.getB()), std::pair("c", op.getC())})
    if (BufferOp buffer = wholeOf(value); buffer && buffer.getDtype() != "f32")
      return op.emitOpError("expects '") << name << "' of f32 in a quantised product, but got " << buffer.getDtype();
  if (op.getTransA() || !op.getTransB())
    return op.emitOpError("expects b alone to be transposed in a quantised product");
  return success();
}

static LogicalResult verifyMask(GemmOp op) {
  auto buffer = op.getMask() ? op.getMask().getDefiningOp<BufferOp>() : BufferOp();
  if (buffer && buffer.getDtype() != "i1")
    return op.emitOpError("expects a mask of i1, but got ") << buffer.getDtype();
  if (buffer && op.getTransA() && op.getTransB())
    return op.emitOpError("expects no mask where both matrices are transposed, but got one");
  return success();
}

LogicalResult GemmOp::verify() {
  // (C1)
  if (!getBeta().isZero() && !getBeta().isExactlyValue(1.0))
    return emitOpError("expects a beta of 0 or 1, but got ") << getBeta().convertToFloat();
  // (C2)
  for (auto [name, map] : {std::pair("m", getM()), std::pair("n", getN()), std::pair("k", getK())})
    if (failed(verifyExpression(*this, name, map)))
      return failure();
  // (C3)
  size_t buffers = (getMask() ? 4 : 3) + getEpilogueBuffers().size();
  if (getWindowed() && getWindowed()->size() != buffers)
    return emitOpError("expects one element of 'windowed' per buffer, but got ")
           << getWindowed()->size() << " elements and " << buffers << " buffers";
  // (C5)
  if (failed(verifyWorkspace(*this)))
    return failure();
  // (C6)
  if (failed(verifyMask(*this)))
    return failure();
  // (C7)
  if (failed(verifyElements(*this)))
    return failure();
  // (C8)
  if (failed(verifyQuantization(*this)))
    return failure();
  // (C9)
  if (failed(verifyNoView(*this, "mask", getMask())) || failed(verifyNoView(*this, "workspace", getWorkspace())))
    return failure();
  // (C4)
  if (!getEpilogue())
    return getEpilogueBuffers().empty()
               ? success()
               : emitOpError("expects no buffers without an epilogue, but got ") << getEpilogueBuffers().size();
  int64_t rowsPerTile = getRowsPerTile();
  if (!getEpilogueSizes() || rowsPerTile < 1)
    return emitOpError("expects sizes and rows_per_tile >= 1 beside an epilogue, but got ")
           << (getEpilogueSizes() ? "sizes" : "no sizes") << " and " << rowsPerTile;
  return verifyExpressions(*this, "epilogue_sizes", *getEpilogueSizes());
}

LogicalResult GemmOp::verifySymbolUses(SymbolTableCollection &tables) {
  // (C4)
  if (!getEpilogue())
    return success();
  FailureOr<KernelOp> kernel = lookUpKernel(*this, getEpilogueAttr(), tables);
  if (failed(kernel))
    return failure();
  if (kernel->getStages() != 1)
    return emitOpError("expects an epilogue of one stage, but '") << *getEpilogue() << "' has " << kernel->getStages();
  // (C9)
  return verifyViews(*this, *kernel, getEpilogueBuffers());
}

LogicalResult SlabsOp::verify() {
  // (C1)
  if (auto rows = static_cast<int64_t>(getBy()); rows < 1)
    return emitOpError("expects windows of at least 1 row, but got ") << rows;
  // (C2)
  return verifyExpression(*this, "rows", getRows());
}
