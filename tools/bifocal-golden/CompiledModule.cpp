// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal-golden/CompiledModule.h"

#include "codegen/Compiler.h"
#include "codegen/emulator/EmulatedDriver.h"
#include "runtime/cpu/CpuDevice.h"
#include "runtime/cuda/CudaDevice.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace bifocal::golden {

static int64_t elementsOf(const std::vector<int64_t> &shape) {
  int64_t product = 1;
  for (int64_t dim : shape)
    product *= dim;
  return product;
}

/// Copies `values` as elements of type T.
template <typename T, typename From>
static HostTensor convert(ElementType type, std::vector<int64_t> shape, std::span<const From> values) {
  HostTensor tensor{type, std::move(shape), std::vector<std::byte>(values.size() * sizeof(T))};
  for (size_t i = 0; i < values.size(); ++i) {
    T value = static_cast<T>(values[i]);
    std::memcpy(tensor.bytes.data() + i * sizeof(T), &value, sizeof(T));
  }
  return tensor;
}

HostTensor HostTensor::ofFloats(std::vector<int64_t> shape, std::span<const float> values) {
  return convert<float>(ElementType::f32, std::move(shape), values);
}
HostTensor HostTensor::ofInts(std::vector<int64_t> shape, std::span<const int64_t> values) {
  return convert<int32_t>(ElementType::i32, std::move(shape), values);
}
HostTensor HostTensor::ofLongs(std::vector<int64_t> shape, std::span<const int64_t> values) {
  return convert<int64_t>(ElementType::i64, std::move(shape), values);
}
HostTensor HostTensor::ofBools(std::vector<int64_t> shape, std::span<const int64_t> values) {
  return convert<uint8_t>(ElementType::i1, std::move(shape), values);
}
HostTensor HostTensor::zeros(std::vector<int64_t> shape) {
  std::vector<float> values(static_cast<size_t>(elementsOf(shape)));
  return ofFloats(std::move(shape), values);
}

std::span<const float> HostTensor::floats() const {
  return {reinterpret_cast<const float *>(bytes.data()), bytes.size() / sizeof(float)};
}

TensorView HostTensor::view() {
  TensorView result(type, {}, bytes.data());
  for (int64_t dim : shape)
    result.extents[result.rank++] = dim;
  return result;
}

static std::string deviceName = "cpu";

void CompiledModule::useDevice(const std::string &name) { deviceName = name; }

static Result<std::unique_ptr<Device>> openDevice(int threads) {
  if (deviceName == "cuda")
    return makeCudaDevice();
  if (deviceName == "cuda-emu")
    return emulator::makeEmulatedDevice();
  return makeCpuDevice({.threads = threads, .level = ""});
}

Result<std::unique_ptr<CompiledModule>> CompiledModule::load(const std::string &bytes, bool training, int threads) {
  auto artifact = Artifact::fromBytes(std::as_bytes(std::span(bytes)));
  if (!artifact.ok())
    return artifact.status();
  auto device = openDevice(threads);
  if (!device.ok())
    return device.status();
  auto session = Session::create(artifact.take(), device.take(), training);
  if (!session.ok())
    return session.status();
  auto module = std::make_unique<CompiledModule>();
  module->session_ = session.take();
  // Constants such as the table of positions; everything else is overwritten by the caller.
  module->session_->initialize(/*seed=*/1);
  return module;
}

/// Only the level that this machine runs best: half the time of both.
static CompileOptions nativeOptions() {
  CompileOptions options;
  options.phases.cpu = deviceName == "cpu";
  options.phases.cuda = !options.phases.cpu;
  if (deviceName == "cuda")
    options.phases.cudaArchitectures = {"sm_80", "sm_90"};
  options.phases.cpuLevels = {nativeLevel()};
  return options;
}

Result<std::unique_ptr<CompiledModule>> CompiledModule::ofText(std::string_view text, bool training, int threads) {
  mlir::MLIRContext context;
  auto module = parseModule(text, "golden.mlir", context);
  if (!module.ok())
    return module.status();
  Result<std::string> bytes = compileModule(**module, nativeOptions());
  return bytes.ok() ? load(*bytes, training, threads) : bytes.status();
}

Result<std::unique_ptr<CompiledModule>> CompiledModule::ofSpec(std::string_view text, bool training) {
  Result<std::string> bytes = compileSpec(text, "golden.toml", nativeOptions());
  return bytes.ok() ? load(*bytes, training, /*threads=*/2) : bytes.status();
}

Status CompiledModule::run(std::string_view entry, const std::map<std::string, HostTensor *> &tensors) {
  const EntryPlan *plan = session_->artifact().plan().find(entry);
  if (!plan)
    return {StatusCode::internal, fmt::format("the compiled module has no entry `{}`", entry)};
  std::vector<TensorView> inputs, outputs;
  for (auto [arguments, views] : {std::pair{&plan->inputs, &inputs}, {&plan->outputs, &outputs}})
    for (const PlanArgument &argument : *arguments) {
      auto found = tensors.find(argument.name);
      if (found == tensors.end())
        return {StatusCode::internal, fmt::format("`{}` expects a tensor for `{}`", entry, argument.name)};
      views->push_back(found->second->view());
    }
  return session_->run(entry, inputs, outputs);
}

std::span<float> CompiledModule::piece(std::span<float> slab, std::string_view name) const {
  for (const Parameter &parameter : session_->artifact().manifest().parameters) {
    bool alias = std::find(parameter.aliases.begin(), parameter.aliases.end(), name) != parameter.aliases.end();
    if (parameter.name != name && !alias)
      continue;
    size_t offset = static_cast<size_t>(parameter.offset), size = static_cast<size_t>(parameter.elements());
    return offset + size <= slab.size() ? slab.subspan(offset, size) : std::span<float>();
  }
  return {};
}

} // namespace bifocal::golden
