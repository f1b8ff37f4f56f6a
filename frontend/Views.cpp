// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/Views.h"

#include "dialect/bifocal/BifocalOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace bifocal {

static constexpr StringLiteral nameAttr = "bifocal.name", dimsAttr = "bifocal.dims";

namespace {
class ViewBuilder {
public:
  ViewBuilder(func::FuncOp function, int64_t columns)
      : function(function), builder(function.getContext()), columns(columns), translates(argument("source") >= 0) {}
  Views run();

private:
  /// The number of the argument of this name, or -1.
  int64_t argument(StringRef name);
  /// One more argument [B, steps, heads * columns].
  Value addIdentity(const IdentityArgument &identity, StringRef name, Attribute batch, Attribute steps);
  /// The value in place of that of an op, with the keys of the same text; null `memory` where it starts with the text.
  Value identityOf(const View &view, int64_t heads, int64_t memory);
  /// The op again, with other values.
  template <typename Op> Value mapOf(Op op, View &view);
  View viewOf(Operation *op, ViewKind kind, int64_t heads);

  void show(AttentionOp op);
  void show(DiffAttentionOp op);
  void show(RelativeAttentionOp op);
  void show(LightConvOp op);
  void show(DynamicConvOp op);
  void add(const View &view, Value value, StringRef what);

  func::FuncOp function;
  OpBuilder builder;
  const int64_t columns;
  const bool translates;
  int64_t memories = 0;
  Views found;
  SmallVector<Value> results;
  SmallVector<std::string> names;
  llvm::StringMap<Value> identities;
};
} // namespace

int64_t ViewBuilder::argument(StringRef name) {
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (auto given = function.getArgAttrOfType<StringAttr>(i, nameAttr); given && given == name)
      return i;
  return -1;
}

Value ViewBuilder::addIdentity(const IdentityArgument &identity, StringRef name, Attribute batch, Attribute steps) {
  Value &known = identities[name];
  if (known)
    return known;
  auto type = RankedTensorType::get({ShapedType::kDynamic, ShapedType::kDynamic, identity.heads * columns},
                                    builder.getF32Type());
  const unsigned index = function.getNumArguments();
  auto attributes = builder.getDictionaryAttr(
      {builder.getNamedAttr(nameAttr, builder.getStringAttr(name)),
       builder.getNamedAttr(dimsAttr, builder.getArrayAttr({batch, steps, builder.getStringAttr("")}))});
  function.insertArgument(index, type, attributes, function.getLoc());
  found.identities.push_back(identity);
  return known = function.getArgument(index);
}

Value ViewBuilder::identityOf(const View &view, int64_t heads, int64_t memory) {
  const StringRef text = view.keysOfSource ? "source" : "previous";
  auto dims = function.getArgAttrOfType<ArrayAttr>(static_cast<unsigned>(argument(text)), dimsAttr);
  Value own =
      addIdentity({view.keysOfSource, heads, -1}, ("identity." + text + "." + Twine(heads)).str(), dims[0], dims[1]);
  if (memory < 0)
    return own;
  const std::string remembered = ("memory." + Twine(memory)).str();
  dims = function.getArgAttrOfType<ArrayAttr>(static_cast<unsigned>(argument(remembered)), dimsAttr);
  Value before = addIdentity({false, heads, memory}, "identity." + remembered, dims[0], dims[1]);
  return builder.create<AppendStepsOp>(function.getLoc(), own.getType(), before, own);
}

View ViewBuilder::viewOf(Operation *op, ViewKind kind, int64_t heads) {
  View view;
  view.kind = kind;
  view.heads = heads;
  // The builders of layers name every op after the layer that it is of.
  if (auto named = dyn_cast<NameLoc>(op->getLoc()))
    view.layer = named.getName().str();
  view.ofSource = translates && StringRef(view.layer).starts_with("encoder.");
  view.keysOfSource = view.ofSource || (translates && StringRef(view.layer).ends_with(".encoder_attn"));
  return view;
}

template <typename Op> Value ViewBuilder::mapOf(Op op, View &view) {
  builder.setInsertionPointAfter(op);
  const int64_t heads = static_cast<int64_t>(op.getHeads());
  const int64_t memory = std::is_same_v<Op, RelativeAttentionOp> ? memories++ : -1;
  view.remembers = memory >= 0;
  Value identity = identityOf(view, op.getKvHeads() ? static_cast<int64_t>(op.getKvHeads()) : heads, memory);
  auto copy = cast<Op>(builder.clone(*op));
  copy.getValueMutable().assign(identity);
  auto type = cast<RankedTensorType>(op.getOutput().getType());
  copy.getOutput().setType(
      RankedTensorType::get({type.getDimSize(0), type.getDimSize(1), heads * columns}, type.getElementType()));
  return copy.getOutput();
}

void ViewBuilder::show(AttentionOp op) {
  View view = viewOf(op, ViewKind::attention, static_cast<int64_t>(op.getHeads()));
  Value map = mapOf(op, view);
  // Neighbouring heads that are taken from each other have no meaning of their own.
  auto difference = op.getOutput().hasOneUse() ? dyn_cast<HeadDifferenceOp>(*op.getOutput().user_begin()) : nullptr;
  if (difference) {
    view.kind = ViewKind::difference;
    view.heads /= 2;
    builder.setInsertionPointAfter(difference);
    auto type = cast<RankedTensorType>(map.getType());
    map = builder.create<HeadDifferenceOp>(
        op.getLoc(),
        RankedTensorType::get({type.getDimSize(0), type.getDimSize(1), view.heads * columns}, type.getElementType()),
        map, difference.getGate());
  }
  add(view, map, "map");
}

void ViewBuilder::show(DiffAttentionOp op) {
  View view = viewOf(op, ViewKind::difference, static_cast<int64_t>(op.getHeads()));
  add(view, mapOf(op, view), "map");
  View lambda = viewOf(op, ViewKind::lambda, 1);
  if (auto made = op.getLambda().getDefiningOp<DiffLambdaOp>())
    lambda.initialLambda = made.getInitial().convertToDouble();
  add(lambda, op.getLambda(), "lambda");
}

void ViewBuilder::show(RelativeAttentionOp op) {
  View view = viewOf(op, ViewKind::attention, static_cast<int64_t>(op.getHeads()));
  Value spans = op.getSpan();
  // Heads that share a span have copies of it.
  if (auto copies = spans ? spans.getDefiningOp<ConcatRowsOp>() : nullptr)
    spans = copies.getInputs().front();
  if (auto span = spans ? spans.getDefiningOp<ParamRefOp>() : nullptr) {
    view.span = span.getParam().str();
    view.spanUnit = static_cast<int64_t>(op.getSpanUnit());
    view.ramp = static_cast<int64_t>(op.getRamp());
  }
  add(view, mapOf(op, view), "map");
}

void ViewBuilder::show(LightConvOp op) {
  auto type = cast<RankedTensorType>(op.getTaps().getType());
  View view = viewOf(op, ViewKind::taps, type.getDimSize(0));
  view.kernelSize = type.getDimSize(2);
  view.padding = static_cast<int64_t>(op.getLeftPadding());
  view.normalized = op.getTaps().getDefiningOp<SoftmaxOp>() != nullptr;
  add(view, op.getTaps(), "taps");
}

void ViewBuilder::show(DynamicConvOp op) {
  View view = viewOf(op, ViewKind::tokenTaps, static_cast<int64_t>(op.getHeads()));
  view.kernelSize = op.getKernelSize();
  view.padding = static_cast<int64_t>(op.getLeftPadding());
  view.normalized = op.getTaps().getDefiningOp<SoftmaxOp>() != nullptr;
  add(view, op.getTaps(), "taps");
}

void ViewBuilder::add(const View &view, Value value, StringRef what) {
  found.views.push_back(view);
  results.push_back(value);
  names.push_back((what + "." + view.layer).str());
}

Views ViewBuilder::run() {
  SmallVector<Operation *> layers;
  for (Operation &op : function.front().without_terminator())
    layers.push_back(&op);
  for (Operation *op : layers)
    llvm::TypeSwitch<Operation *>(op)
        .Case<AttentionOp, DiffAttentionOp, RelativeAttentionOp, LightConvOp, DynamicConvOp>(
            [&](auto one) { show(one); });
  Operation *end = function.front().getTerminator();
  end->setOperands(results);
  function.setFunctionType(builder.getFunctionType(function.getArgumentTypes(), ValueRange(results).getTypes()));
  function.setResAttrsAttr(nullptr);
  for (auto [index, name] : llvm::enumerate(names))
    function.setResultAttr(static_cast<unsigned>(index), nameAttr, builder.getStringAttr(name));
  function.setName(viewsEntry);
  return std::move(found);
}

Views insertViews(ModuleOp module, int64_t columns) {
  func::FuncOp forward;
  for (auto function : llvm::make_early_inc_range(module.getOps<func::FuncOp>())) {
    if (function.getName() == "forward")
      forward = function;
    else
      function.erase();
  }
  assert(forward && "every model that the frontend makes has @forward");
  return ViewBuilder(forward, columns).run();
}

} // namespace bifocal
