// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/Numerics/OpTestRunner.h"

#include "codegen/Compiler.h"

#include <cmath>
#include <limits>

using namespace bifocal;
using namespace bifocal::test;
using golden::CompiledModule;
using golden::HostTensor;
using torch::Tensor;

static double drawNormal(std::mt19937_64 &generator) {
  // Box-Muller: the standard's distribution differs between libraries.
  double u = (static_cast<double>(generator() >> 11) + 1) * 0x1p-53,
         v = static_cast<double>(generator() >> 11) * 0x1p-53;
  return static_cast<float>(std::sqrt(-2 * std::log(u)) * std::cos(6.283185307179586 * v));
}

/// Whether the rows with this index see nothing: the last of several sequences, and the only one of some calls.
static bool isPaddingRow(int64_t row, int64_t rows, std::mt19937_64 &generator) {
  return row == rows - 1 && (rows > 1 || generator() % 4 == 0);
}

/// Ids, tokens and masks; masks are 0 and 1.
static std::vector<int64_t> drawIntegers(const Declared &declared, const std::vector<int64_t> &shape,
                                         const Sizes &sizes, std::mt19937_64 &generator) {
  int64_t limit = declared.limit.empty() ? 2 : evaluateSize(declared.limit, sizes);
  int64_t rows = shape.empty() ? 1 : shape[0], width = 1;
  for (size_t axis = 1; axis < shape.size(); ++axis)
    width *= shape[axis];
  std::vector<int64_t> values;
  for (int64_t row = 0; row < rows; ++row) {
    bool padding = isPaddingRow(row, rows, generator) && (declared.kind == "tokens" || declared.kind == "i1");
    for (int64_t i = 0; i < width; ++i) {
      int64_t value = drawBetween(generator, 0, limit - 1);
      if (declared.kind == "tokens" && (padding || generator() % 4 == 0))
        value = 1;
      if (declared.kind == "i1")
        value = padding ? 0 : generator() % 3 != 0;
      if (declared.kind == "real")
        value = i == 0 || generator() % 3 != 0;
      values.push_back(value);
    }
  }
  return values;
}

Tensor test::drawTensor(const Declared &declared, const Sizes &sizes, int call, std::mt19937_64 &generator) {
  std::vector<int64_t> shape = declared.shape(sizes);
  std::string element = declared.element();
  if (declared.kind == "step")
    return torch::tensor(static_cast<int64_t>(call), torch::kInt64);
  if (declared.kind == "rng")
    return torch::tensor({static_cast<int64_t>(generator()), drawBetween(generator, 0, 1 << 20)}, torch::kInt64);
  if (declared.kind == "hyper") // a clip norm of zero turns clipping off
    return torch::tensor({0.0078125, 0.015625, call % 2 ? 0.5 : 0.0, 0.0}, torch::kFloat64);
  if (element != "f32") {
    Tensor values = torch::tensor(drawIntegers(declared, shape, sizes, generator), torch::kInt64).reshape(shape);
    return element == "i1" ? values.to(torch::kBool) : values;
  }
  Tensor values = torch::empty(shape, torch::kFloat64);
  for (int64_t i = 0; i < values.numel(); ++i)
    values.data_ptr<double>()[i] = drawNormal(generator);
  return declared.kind == "positive" ? values.abs().floor() + 1 : values;
}

Tensors test::drawTensors(const std::string &declared, const Sizes &sizes, int call, std::mt19937_64 &generator) {
  Tensors tensors;
  for (const Declared &one : parseDeclared(declared))
    tensors[one.name] = drawTensor(one, sizes, call, generator);
  return tensors;
}

Tensors test::evaluateByName(Reference &reference, mlir::ModuleOp module, const std::string &function,
                             const Tensors &tensors) {
  auto op = module.lookupSymbol<mlir::func::FuncOp>(function);
  if (!op)
    throw std::runtime_error("no function @" + function);
  std::vector<Tensor> arguments;
  for (unsigned i = 0; i < op.getNumArguments(); ++i)
    arguments.push_back(tensors.at(op.getArgAttrOfType<mlir::StringAttr>(i, "bifocal.name").str()));
  std::vector<Tensor> results = reference.run(function, arguments);
  Tensors named;
  for (unsigned i = 0; i < op.getNumResults(); ++i)
    named[op.getResultAttrOfType<mlir::StringAttr>(i, "bifocal.name").str()] = results[i];
  return named;
}

/// One context for all cases; loading the dialects takes longer than a case.
static mlir::MLIRContext &sharedContext() {
  static mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  static bool prepared = (prepareContext(context), true);
  static_cast<void>(prepared);
  return context;
}

mlir::OwningOpRef<mlir::ModuleOp> OpModules::parsed(Phase to) {
  auto module = parseModule(text, op.name, sharedContext());
  if (!module.ok())
    throw std::runtime_error(module.status().message() + "\n" + text);
  CompileOptions options;
  options.to = to;
  if (Status status = runPhases(**module, options); !status.ok())
    throw std::runtime_error(status.message() + "\n" + text);
  return module.take();
}

OpModules::OpModules(const OpCase &op)
    : op(op), statics(staticSizes(op)), text(moduleText(op, statics)), source(parsed(Phase::Import)),
      differentiated(parsed(Phase::Differentiate)), optimized(parsed(Phase::Optimize)) {
  for (const std::string &arguments : {op.arguments, op.setupArguments})
    for (const Declared &declared : parseDeclared(arguments))
      elements[declared.name] = declared.element();
}

OpModules &OpModules::of(const OpCase &op) {
  sharedContext(); // made first, hence destroyed last: the modules live in it
  static std::map<std::string, std::unique_ptr<OpModules>> all;
  std::unique_ptr<OpModules> &slot = all[op.name];
  if (!slot)
    slot = std::make_unique<OpModules>(op);
  return *slot;
}

CompiledModule &OpModules::compiled() {
  if (!code) {
    auto result = CompiledModule::ofText(text, /*training=*/!op.params.empty());
    if (!result.ok())
      throw std::runtime_error(result.status().message() + "\n" + text);
    code = result.take();
  }
  return *code;
}

std::set<std::string> OpModules::ops() {
  std::set<std::string> names;
  optimized->walk([&](mlir::Operation *each) { names.insert(each->getName().getStringRef().str()); });
  return names;
}

static HostTensor toHost(const Tensor &tensor, const std::string &element) {
  std::vector<int64_t> shape = tensor.sizes().vec();
  if (element == "f32") {
    Tensor flat = tensor.detach().to(torch::kFloat32).contiguous();
    return HostTensor::ofFloats(shape, {flat.data_ptr<float>(), static_cast<size_t>(flat.numel())});
  }
  Tensor flat = tensor.to(torch::kInt64).contiguous();
  std::span<const int64_t> values(flat.data_ptr<int64_t>(), static_cast<size_t>(flat.numel()));
  return element == "i64"  ? HostTensor::ofLongs(shape, values)
         : element == "i1" ? HostTensor::ofBools(shape, values)
                           : HostTensor::ofInts(shape, values);
}

static std::string elementOf(const Tensor &tensor) {
  return tensor.is_floating_point() ? "f32" : tensor.dtype() == torch::kBool ? "i1" : "i32";
}

static Tensor fromHost(HostTensor &host, const std::string &element) {
  auto type = element == "f32" ? torch::kFloat32 : element == "i1" ? torch::kBool : torch::kInt32;
  return torch::from_blob(host.bytes.data(), host.shape, type)
      .to(element == "f32"  ? torch::kFloat64
          : element == "i1" ? torch::kBool
                            : torch::kInt64,
          false, /*copy=*/true);
}

Tensors OpModules::run(const std::string &entry, const Tensors &inputs, const Tensors &like) {
  std::map<std::string, HostTensor> hosts;
  for (const auto &[name, tensor] : inputs)
    hosts.emplace(name, toHost(tensor, elements.count(name) ? elements[name] : "f32"));
  for (const auto &[name, tensor] : like)
    hosts.emplace(name, toHost(tensor.is_floating_point() ? torch::full_like(tensor, NAN) : torch::zeros_like(tensor),
                               elementOf(tensor)));
  std::map<std::string, HostTensor *> arguments;
  for (auto &[name, host] : hosts)
    arguments[name] = &host;
  if (Status status = compiled().run(entry, arguments); !status.ok())
    throw std::runtime_error(status.message() + "\n" + text);
  Tensors found;
  for (const auto &[name, tensor] : like)
    found[name] = fromHost(hosts.at(name), elementOf(tensor));
  return found;
}

/// The parameter of the artifact's manifest.
static const Parameter &find(CompiledModule &module, const std::string &name) {
  for (const Parameter &parameter : module.session().artifact().manifest().parameters)
    if (parameter.name == name)
      return parameter;
  throw std::runtime_error("no parameter " + name);
}

Tensor OpModules::piece(std::span<float> slab, const std::string &param) {
  const Parameter &parameter = find(compiled(), param);
  return torch::from_blob(slab.data() + parameter.offset, parameter.shape, torch::kFloat32)
      .to(torch::kFloat64, false, true);
}

void OpModules::setParameter(const std::string &param, const Tensor &value) {
  std::span<float> slab = compiled().parameter(param);
  Tensor flat = value.to(torch::kFloat32).contiguous();
  std::copy_n(flat.data_ptr<float>(), slab.size(), slab.data());
}
