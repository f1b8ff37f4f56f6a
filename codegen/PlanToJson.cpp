// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/PlanToJson.h"

#include "codegen/common/ExpressionToJson.h"
#include "codegen/cpu/CpuKernels.h"
#include "passes/KernelSchedule.h"
#include "passes/Remarks.h"
#include "runtime/core/ArtifactFormat.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/bit.h"

using namespace mlir;
using nlohmann::json;

namespace bifocal {

json attributeToJson(Attribute attribute) {
  if (auto dictionary = dyn_cast<DictionaryAttr>(attribute)) {
    json object = json::object();
    for (NamedAttribute entry : dictionary)
      object[entry.getName().str()] = attributeToJson(entry.getValue());
    return object;
  }
  if (auto list = dyn_cast<ArrayAttr>(attribute)) {
    json array = json::array();
    for (Attribute element : list)
      array.push_back(attributeToJson(element));
    return array;
  }
  if (auto text = dyn_cast<StringAttr>(attribute))
    return text.str();
  if (auto boolean = dyn_cast<BoolAttr>(attribute))
    return boolean.getValue();
  if (auto number = dyn_cast<IntegerAttr>(attribute))
    return number.getInt();
  if (auto number = dyn_cast<FloatAttr>(attribute))
    return number.getValueAsDouble();
  return nullptr;
}

namespace {
/// Writes one entry: buffers are numbered in the order of their ops.
class EntryWriter {
public:
  explicit EntryWriter(plan::EntryOp entry) : entry(entry) {
    for (Attribute symbol : entry.getSymbols())
      symbols.push_back(cast<StringAttr>(symbol).str());
  }
  json write();

private:
  json writeSteps(Block &block);
  json writeLaunch(plan::LaunchOp launch);
  json writeGemm(plan::GemmOp gemm);
  void addBuffer(plan::BufferOp buffer);
  void addView(plan::ViewOp view);

  json expression(AffineMap map) { return expressionToJson(map.getResult(0), symbols); }
  json expressions(ArrayAttr maps) {
    json array = json::array();
    for (auto map : maps.getAsRange<AffineMapAttr>())
      array.push_back(expression(map.getValue()));
    return array;
  }
  /// A buffer, or the buffer advanced by `rowBytes` for each row before a window.
  json reference(Value buffer, int64_t rowBytes) {
    int64_t id = ids.lookup(buffer);
    return rowBytes == 0 ? json(id) : json({{"id", id}, {"row_bytes", rowBytes}});
  }
  json references(ValueRange buffers, ArrayRef<int64_t> rowBytes) {
    json array = json::array();
    for (auto [index, buffer] : llvm::enumerate(buffers))
      array.push_back(reference(buffer, rowBytes.empty() ? 0 : rowBytes[index]));
    return array;
  }

  plan::EntryOp entry;
  SmallVector<std::string> symbols;
  DenseMap<Value, int64_t> ids;
  json buffers = json::array();
};
} // namespace

void EntryWriter::addBuffer(plan::BufferOp buffer) {
  json object = {{"region", plan::stringifyRegion(buffer.getRegion()).str()},
                 {"class", static_cast<int64_t>(buffer.getClassIndex())},
                 {"offset", static_cast<int64_t>(buffer.getOffset())},
                 {"size", static_cast<int64_t>(buffer.getSize())},
                 {"dtype", buffer.getDtype().str()}};
  if (buffer.getIndex())
    object["index"] = static_cast<int64_t>(*buffer.getIndex());
  if (buffer.getName())
    object["name"] = buffer.getName()->str();
  ids[buffer.getBuffer()] = static_cast<int64_t>(buffers.size());
  buffers.push_back(std::move(object));
}

void EntryWriter::addView(plan::ViewOp view) {
  ids[view.getBuffer()] = static_cast<int64_t>(buffers.size());
  buffers.push_back({{"view_of", ids.lookup(view.getWhole())},
                     {"column", static_cast<int64_t>(view.getColumn())},
                     {"width", static_cast<int64_t>(view.getWidth())},
                     {"row", static_cast<int64_t>(view.getRow())}});
}

json EntryWriter::writeLaunch(plan::LaunchOp launch) {
  ArrayRef<int64_t> windowed = launch.getWindowed().value_or(ArrayRef<int64_t>());
  auto kernel = SymbolTable::lookupNearestSymbolFrom<plan::KernelOp>(launch, launch.getKernelAttr());
  json object = {{"op", "launch"},
                 {"kernel", launch.getKernel().str()},
                 {"family", kernel ? kernel.getFamily().str() : launch.getKernel().str()},
                 {"buffers", references(launch.getBuffers(), windowed)},
                 {"sizes", expressions(launch.getSizes())},
                 {"stages", expressions(launch.getStages())}};
  if (kernel)
    if (AffineExpr count = scheduleKernel(&kernel.getBody().front().front()).multiplyAdds) {
      SmallVector<AffineExpr> sizes;
      for (auto size : launch.getSizes().getAsRange<AffineMapAttr>())
        sizes.push_back(size.getValue().getResult(0));
      object["multiply_adds"] = expressionToJson(count.replaceSymbols(sizes), symbols);
    }
  return object;
}

json EntryWriter::writeGemm(plan::GemmOp gemm) {
  ArrayRef<int64_t> windowed = gemm.getWindowed().value_or(ArrayRef<int64_t>());
  auto bytes = [&](size_t index) { return windowed.empty() ? 0 : windowed[index]; };
  json object = {{"op", "gemm"},
                 {"family", "gemm"},
                 {"kernel", productKernel(gemm)},
                 {"m", expression(gemm.getM())},
                 {"n", expression(gemm.getN())},
                 {"k", expression(gemm.getK())},
                 {"a", reference(gemm.getA(), bytes(0))},
                 {"b", reference(gemm.getB(), bytes(1))},
                 {"c", reference(gemm.getC(), bytes(2))},
                 {"beta", gemm.getBeta().isZero() ? 0 : 1}};
  if (Value mask = gemm.getMask())
    object["mask"] = reference(mask, bytes(3));
  if (Value workspace = gemm.getWorkspace())
    object["workspace"] = reference(workspace, 0);
  if (gemm.getEpilogue())
    object["epilogue"] = {
        {"kernel", gemm.getEpilogue()->str()},
        {"buffers", references(gemm.getEpilogueBuffers(),
                               windowed.empty() ? windowed : windowed.drop_front(gemm.getMask() ? 4 : 3))},
        {"sizes", expressions(*gemm.getEpilogueSizes())},
        {"rows_per_tile", static_cast<int64_t>(gemm.getRowsPerTile())}};
  return object;
}

json EntryWriter::writeSteps(Block &block) {
  json steps = json::array();
  for (Operation &op : block) {
    json step;
    if (auto buffer = dyn_cast<plan::BufferOp>(op)) {
      addBuffer(buffer);
      continue;
    }
    if (auto view = dyn_cast<plan::ViewOp>(op)) {
      addView(view);
      continue;
    }
    if (auto launch = dyn_cast<plan::LaunchOp>(op))
      step = writeLaunch(launch);
    else if (auto gemm = dyn_cast<plan::GemmOp>(op))
      step = writeGemm(gemm);
    else if (auto fill = dyn_cast<plan::FillOp>(op))
      step = {{"op", "fill"},
              {"buffer", reference(fill.getBuffer(), 0)},
              {"value", llvm::bit_cast<uint32_t>(fill.getValue().convertToFloat())}};
    else if (auto copy = dyn_cast<plan::CopyOp>(op))
      step = {{"op", "copy"}, {"from", reference(copy.getFrom(), 0)}, {"to", reference(copy.getTo(), 0)}};
    else if (auto slabs = dyn_cast<plan::SlabsOp>(op)) {
      step = {{"op", "slabs"}, {"rows", expression(slabs.getRows())}, {"by", static_cast<int64_t>(slabs.getBy())}};
      symbols.emplace_back(format::windowSymbol);
      step["body"] = writeSteps(slabs.getBody().front());
      symbols.pop_back();
    } else {
      continue;
    }
    if (std::string place = describeLocation(op.getLoc()); !place.empty())
      step["loc"] = place;
    steps.push_back(std::move(step));
  }
  return steps;
}

json EntryWriter::write() {
  json classes = json::array();
  for (auto map : entry.getClasses().getAsRange<AffineMapAttr>())
    classes.push_back(expression(map.getValue()));
  json steps = writeSteps(entry.getBody().front());
  return {{"symbols", std::vector<std::string>(symbols.begin(), symbols.end())},
          {"inputs", attributeToJson(entry.getInputs())},
          {"outputs", attributeToJson(entry.getOutputs())},
          {"classes", classes},
          {"peak", std::vector<int64_t>(entry.getPeak().begin(), entry.getPeak().end())},
          {"buffers", buffers},
          {"steps", steps}};
}

json planToJson(ModuleOp module) {
  json entries = json::object();
  for (auto entry : module.getOps<plan::EntryOp>())
    entries[entry.getSymName().str()] = EntryWriter(entry).write();
  return {{"entries", entries}};
}

} // namespace bifocal
