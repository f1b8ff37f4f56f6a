// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Session.h"

#include "runtime/core/Initializer.h"
#include "runtime/core/InputRules.h"

#include <algorithm>
#include <fmt/format.h>

namespace bifocal {
namespace {

Status usage(std::string message) { return {StatusCode::usage, std::move(message)}; }

/// A symbol of an entry that a state's layout also depends on.
struct StateSymbol {
  size_t entrySymbol, stateSymbol;
  bool outermost; ///< only ever the first axis of a state, where fewer than were sized do no harm
};

/// What a call needs besides the plan, made once per entry so that calls allocate nothing.
struct EntryState {
  const EntryPlan *plan = nullptr;
  std::vector<int64_t> symbols, classBases, classValues, inputBytes, outputBytes;
  std::vector<bool> known;
  std::vector<std::byte *> inputs, outputs;
  std::vector<StateSymbol> stateSymbols;
  InputRules rules;
  bool usesStates = false;
};

class SessionImpl final : public Session {
public:
  SessionImpl(std::shared_ptr<const Artifact> artifact, std::unique_ptr<Device> device)
      : artifact_(std::move(artifact)), device_(std::move(device)) {}

  Status prepare(bool training) {
    const Manifest &manifest = artifact_->manifest();
    BIFOCAL_RETURN_IF_ERROR(device_->load(*artifact_));
    const std::array<int64_t, 4> bytes = manifest.slabBytes(training);
    training_ = training;
    for (size_t i = 0; i < (training ? 2u + static_cast<size_t>(manifest.moments) : 1u); ++i) {
      Result<std::unique_ptr<DeviceMemory>> memory =
          device_->allocate(static_cast<size_t>(bytes[i]), MemoryUse::shared);
      if (!memory.ok())
        return memory.status();
      slabs_[i] = memory.take();
    }
    states_.resize(manifest.states.size());
    stateMemory_.resize(manifest.states.size());
    stateBytes_.resize(manifest.states.size());
    stateSymbols_.assign(manifest.stateSymbols.size(), -1);
    panels_.resize(artifact_->plan().entries.size());
    panelsCurrent_.assign(panels_.size(), false);
    for (const EntryPlan &plan : artifact_->plan().entries) {
      Result<InputRules> rules = InputRules::create(manifest, plan);
      if (!rules.ok())
        return rules.status();
      entries_.push_back(prepareEntry(plan));
      entries_.back().rules = rules.take();
    }
    return {};
  }

  const Artifact &artifact() const override { return *artifact_; }

  void initialize(uint64_t seed) override {
    const std::vector<Parameter> &list = artifact_->manifest().parameters;
    for (size_t i = 0; i < list.size(); ++i)
      initializeParameter(
          list[i], i, seed,
          parameters().subspan(static_cast<size_t>(list[i].offset), static_cast<size_t>(list[i].elements())));
  }

  Status run(std::string_view name, std::span<const TensorView> inputs, std::span<const TensorView> outputs) override;
  Status sizeStates(const std::map<std::string, int64_t> &symbols, bool zeros) override;
  Result<int64_t> peakBytes(std::string_view name, std::span<const TensorView> inputs) const override;

  Result<std::vector<std::vector<int64_t>>> outputShapes(std::string_view name,
                                                         std::span<const TensorView> inputs) const override;

  std::span<float> parameters() override {
    forgetPanels();
    return slab(0);
  }
  std::span<float> gradients() override { return slab(1); }
  std::span<float> firstMoments() override { return slab(2); }
  std::span<float> secondMoments() override { return slab(3); }
  size_t arenaBytes() const override { return arena_ ? arena_->size() : 0; }
  bool sharesHostMemory() const override { return device_->sharesHostMemory(); }
  std::string deviceDescription() const override { return device_->description(); }
  void profile(bool on) override { device_->profile(on); }
  std::vector<FamilyTime> profileResult() const override { return device_->profileResult(); }
  double profiledFlops() const override { return device_->profiledFlops(); }

private:
  std::span<float> slab(size_t index) {
    std::byte *host = slabs_[index] ? slabs_[index]->host() : nullptr;
    if (!host)
      return {};
    return {reinterpret_cast<float *>(host), slabs_[index]->size() / sizeof(float)};
  }

  /// The parameters may change now.
  void forgetPanels() { panelsCurrent_.assign(panelsCurrent_.size(), false); }
  Status growArena(int64_t bytes);

  EntryState prepareEntry(const EntryPlan &plan) const;
  Result<size_t> findEntry(std::string_view name) const;
  Status bindSymbols(EntryState &entry, std::span<const TensorView> inputs) const;
  /// A copy of the entry with the symbol values of these inputs.
  Result<EntryState> boundEntry(std::string_view name, std::span<const TensorView> inputs) const;
  Status checkStates(const EntryState &entry) const;
  Status checkArguments(const EntryState &entry, const std::vector<PlanArgument> &arguments,
                        std::span<const TensorView> tensors, const char *kind, std::vector<std::byte *> &addresses,
                        std::vector<int64_t> &bytes) const;

  std::shared_ptr<const Artifact> artifact_;
  std::unique_ptr<Device> device_;
  bool training_ = false;
  std::array<std::unique_ptr<DeviceMemory>, 4> slabs_;
  std::unique_ptr<DeviceMemory> arena_;
  std::vector<std::unique_ptr<DeviceMemory>> stateMemory_, panels_; ///< one for each state, for each entry
  std::vector<bool> panelsCurrent_;                                 ///< whether the panels of an entry are in use
  std::vector<std::byte *> states_;
  std::vector<int64_t> stateBytes_;
  std::vector<int64_t> stateSymbols_; ///< values given to sizeStates, -1 before
  std::vector<EntryState> entries_;
};

EntryState SessionImpl::prepareEntry(const EntryPlan &plan) const {
  const Manifest &manifest = artifact_->manifest();
  EntryState entry;
  entry.plan = &plan;
  entry.symbols.resize(plan.symbols.size());
  entry.known.resize(plan.symbols.size());
  entry.classBases.resize(plan.classes.size());
  entry.classValues.resize(plan.classes.size());
  entry.inputs.resize(plan.inputs.size());
  entry.inputBytes.resize(plan.inputs.size());
  entry.outputs.resize(plan.outputs.size());
  entry.outputBytes.resize(plan.outputs.size());
  for (size_t s = 0; s < manifest.stateSymbols.size(); ++s) {
    const auto found = std::find(plan.symbols.begin(), plan.symbols.end(), manifest.stateSymbols[s]);
    if (found == plan.symbols.end())
      continue;
    bool used = false, outermost = true;
    for (const PlanBuffer &buffer : plan.buffers) {
      if (buffer.region != Region::state)
        continue;
      const std::vector<Expression> &dims = manifest.states[buffer.index].dims;
      for (size_t axis = 0; axis < dims.size(); ++axis)
        if (dims[axis].symbol() == s) {
          used = true;
          outermost &= axis == 0;
        }
    }
    entry.stateSymbols.push_back({static_cast<size_t>(found - plan.symbols.begin()), s, outermost || !used});
  }
  entry.usesStates = std::any_of(plan.buffers.begin(), plan.buffers.end(),
                                 [](const PlanBuffer &buffer) { return buffer.region == Region::state; });
  return entry;
}

Result<size_t> SessionImpl::findEntry(std::string_view name) const {
  for (size_t i = 0; i < entries_.size(); ++i)
    if (entries_[i].plan->name == name)
      return i;
  std::vector<std::string_view> names;
  for (const EntryState &entry : entries_)
    names.push_back(entry.plan->name);
  return usage(fmt::format("expects an entry point out of {}, but got '{}'", fmt::join(names, ", "), name));
}

/// Inputs give their symbols; what they leave open comes from the sizes of the states.
Status SessionImpl::bindSymbols(EntryState &entry, std::span<const TensorView> inputs) const {
  const EntryPlan &plan = *entry.plan;
  std::fill(entry.known.begin(), entry.known.end(), false);
  entry.known.back() = true; // the window symbol
  entry.symbols.back() = 0;
  for (size_t i = 0; i < plan.inputs.size(); ++i) {
    const PlanArgument &argument = plan.inputs[i];
    if (inputs[i].rank != argument.dims.size())
      return usage(
          fmt::format("input '{}' expects {} axes, but got {}", argument.name, argument.dims.size(), inputs[i].rank));
    for (size_t axis = 0; axis < argument.dims.size(); ++axis)
      if (const std::optional<size_t> symbol = argument.dims[axis].symbol(); symbol && !entry.known[*symbol]) {
        entry.known[*symbol] = true;
        entry.symbols[*symbol] = inputs[i].extents[axis];
      }
  }
  for (const StateSymbol &link : entry.stateSymbols) {
    const int64_t sized = stateSymbols_[link.stateSymbol];
    if (sized < 0)
      continue;
    int64_t &value = entry.symbols[link.entrySymbol];
    if (!entry.known[link.entrySymbol]) {
      value = sized;
      entry.known[link.entrySymbol] = true;
    } else if (entry.usesStates && (link.outermost ? value > sized : value != sized)) {
      return usage(fmt::format("entry '{}' expects {} {} {} as the states were sized, but the inputs have {}",
                               plan.name, plan.symbols[link.entrySymbol], link.outermost ? "<=" : "=", sized, value));
    }
  }
  for (size_t s = 0; s < plan.symbols.size(); ++s)
    if (!entry.known[s])
      return usage(
          fmt::format("entry '{}' expects a value for the symbol {}, which no input has; size the states first",
                      plan.name, plan.symbols[s]));
  return {};
}

Status SessionImpl::checkStates(const EntryState &entry) const {
  for (const PlanBuffer &buffer : entry.plan->buffers)
    if (buffer.region == Region::state && !states_[buffer.index])
      return usage(fmt::format("entry '{}' expects sizeStates to be called before it", entry.plan->name));
  return {};
}

Status SessionImpl::checkArguments(const EntryState &entry, const std::vector<PlanArgument> &arguments,
                                   std::span<const TensorView> tensors, const char *kind,
                                   std::vector<std::byte *> &addresses, std::vector<int64_t> &bytes) const {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const PlanArgument &argument = arguments[i];
    const TensorView &tensor = tensors[i];
    if (tensor.type != argument.type)
      return usage(fmt::format("{} '{}' expects elements of type {}, but got {}", kind, argument.name,
                               name(argument.type), name(tensor.type)));
    if (tensor.rank != argument.dims.size())
      return usage(
          fmt::format("{} '{}' expects {} axes, but got {}", kind, argument.name, argument.dims.size(), tensor.rank));
    int64_t size = static_cast<int64_t>(byteSize(argument.type));
    for (size_t axis = 0; axis < tensor.rank; ++axis) {
      const std::optional<int64_t> extent = argument.dims[axis].evaluate(entry.symbols);
      if (!extent || __builtin_mul_overflow(size, *extent, &size))
        return usage(fmt::format("{} '{}' expects a size that fits in 64 bits", kind, argument.name));
      if (tensor.extents[axis] != *extent)
        return usage(fmt::format("{} '{}' expects {} on axis {}, but got {}", kind, argument.name, *extent, axis,
                                 tensor.extents[axis]));
    }
    if (!tensor.data && size > 0)
      return usage(fmt::format("{} '{}' expects {} bytes of memory, but got none", kind, argument.name, size));
    addresses[i] = static_cast<std::byte *>(tensor.data);
    bytes[i] = size;
  }
  return {};
}

Status SessionImpl::run(std::string_view name, std::span<const TensorView> inputs,
                        std::span<const TensorView> outputs) {
  const Result<size_t> index = findEntry(name);
  if (!index.ok())
    return index.status();
  EntryState &entry = entries_[*index];
  const EntryPlan &plan = *entry.plan;
  if (plan.needsTraining && !training_)
    return usage(fmt::format("entry '{}' expects a session created for training", name));
  if (inputs.size() != plan.inputs.size() || outputs.size() != plan.outputs.size())
    return usage(fmt::format("entry '{}' expects {} inputs and {} outputs, but got {} and {}", name, plan.inputs.size(),
                             plan.outputs.size(), inputs.size(), outputs.size()));
  BIFOCAL_RETURN_IF_ERROR(bindSymbols(entry, inputs));
  BIFOCAL_RETURN_IF_ERROR(checkStates(entry));
  BIFOCAL_RETURN_IF_ERROR(checkArguments(entry, plan.inputs, inputs, "input", entry.inputs, entry.inputBytes));
  BIFOCAL_RETURN_IF_ERROR(checkArguments(entry, plan.outputs, outputs, "output", entry.outputs, entry.outputBytes));
  BIFOCAL_RETURN_IF_ERROR(entry.rules.check(plan, inputs, entry.symbols, stateSymbols_));

  const Result<int64_t> needed = plan.arenaBytes(entry.symbols, entry.classBases, entry.classValues);
  if (!needed.ok())
    return needed.status();
  BIFOCAL_RETURN_IF_ERROR(growArena(*needed));
  if (plan.panelBytes > 0 && device_->keepsPanels() && !panels_[*index]) {
    Result<std::unique_ptr<DeviceMemory>> memory =
        device_->allocate(static_cast<size_t>(plan.panelBytes), MemoryUse::kernels);
    if (!memory.ok())
      return memory.status();
    panels_[*index] = memory.take();
  }
  Bindings bindings;
  bindings.symbols = entry.symbols;
  bindings.arena = arena_ ? arena_->data() : nullptr;
  bindings.classBases = entry.classBases;
  bindings.classValues = entry.classValues;
  for (size_t i = 0; i < slabs_.size(); ++i)
    bindings.slabs[i] = slabs_[i] ? slabs_[i]->data() : nullptr;
  bindings.states = states_;
  bindings.stateBytes = stateBytes_;
  bindings.inputs = entry.inputs;
  bindings.inputBytes = entry.inputBytes;
  bindings.outputs = entry.outputs;
  bindings.outputBytes = entry.outputBytes;
  bindings.panels = panels_[*index] ? panels_[*index]->data() : nullptr;
  bindings.panelsCurrent = panelsCurrent_[*index];
  if (plan.needsTraining)
    forgetPanels();
  const Status status = device_->execute(*index, bindings);
  panelsCurrent_[*index] = status.ok() && !plan.needsTraining;
  return status;
}

Status SessionImpl::growArena(int64_t bytes) {
  if (static_cast<size_t>(bytes) <= arenaBytes())
    return {};
  // The old arena goes first: its content is dead between calls, and both together may not fit.
  arena_.reset();
  Result<std::unique_ptr<DeviceMemory>> memory = device_->allocate(static_cast<size_t>(bytes), MemoryUse::kernels);
  if (!memory.ok())
    return memory.status();
  arena_ = memory.take();
  return {};
}

Result<EntryState> SessionImpl::boundEntry(std::string_view name, std::span<const TensorView> inputs) const {
  const Result<size_t> index = findEntry(name);
  if (!index.ok())
    return index.status();
  EntryState entry = entries_[*index];
  if (inputs.size() != entry.plan->inputs.size())
    return usage(
        fmt::format("entry '{}' expects {} inputs, but got {}", name, entry.plan->inputs.size(), inputs.size()));
  BIFOCAL_RETURN_IF_ERROR(bindSymbols(entry, inputs));
  return entry;
}

Result<std::vector<std::vector<int64_t>>> SessionImpl::outputShapes(std::string_view name,
                                                                    std::span<const TensorView> inputs) const {
  const Result<EntryState> entry = boundEntry(name, inputs);
  if (!entry.ok())
    return entry.status();
  std::vector<std::vector<int64_t>> shapes;
  for (const PlanArgument &output : entry->plan->outputs) {
    std::vector<int64_t> &shape = shapes.emplace_back();
    for (const Expression &dim : output.dims) {
      const std::optional<int64_t> extent = dim.evaluate(entry->symbols);
      if (!extent)
        return usage(fmt::format("output '{}' expects a size that fits in 64 bits", output.name));
      shape.push_back(*extent);
    }
  }
  return shapes;
}

Status SessionImpl::sizeStates(const std::map<std::string, int64_t> &symbols, bool zeros) {
  const Manifest &manifest = artifact_->manifest();
  // Until all have their size none may be read: an error must not leave old memory behind new sizes.
  std::fill(states_.begin(), states_.end(), nullptr);
  for (size_t s = 0; s < stateSymbols_.size(); ++s) {
    const auto found = symbols.find(manifest.stateSymbols[s]);
    if (found == symbols.end() || found->second < 0)
      return usage(fmt::format("expects a value >= 0 for the symbol {} of the states", manifest.stateSymbols[s]));
    stateSymbols_[s] = found->second;
  }
  for (size_t i = 0; i < states_.size(); ++i) {
    int64_t bytes = static_cast<int64_t>(byteSize(manifest.states[i].type));
    for (const Expression &dim : manifest.states[i].dims) {
      const std::optional<int64_t> extent = dim.evaluate(stateSymbols_);
      if (!extent || __builtin_mul_overflow(bytes, *extent, &bytes))
        return usage(fmt::format("state '{}' expects a size that fits in 64 bits", manifest.states[i].name));
    }
    stateBytes_[i] = bytes;
    // Sentences come in all lengths: memory that suffices is kept. New memory is zero.
    if (!zeros && stateMemory_[i] && stateMemory_[i]->size() >= static_cast<size_t>(bytes))
      continue;
    stateMemory_[i].reset();
    // Caches have room for all hypotheses at all steps, but sentences end before the last step.
    Result<std::unique_ptr<DeviceMemory>> memory =
        device_->allocate(static_cast<size_t>(std::max<int64_t>(bytes, 64)), MemoryUse::sparse);
    if (!memory.ok())
      return memory.status();
    stateMemory_[i] = memory.take();
  }
  for (size_t i = 0; i < states_.size(); ++i)
    states_[i] = stateMemory_[i]->data();
  return {};
}

Result<int64_t> SessionImpl::peakBytes(std::string_view name, std::span<const TensorView> inputs) const {
  const Result<EntryState> entry = boundEntry(name, inputs);
  if (!entry.ok())
    return entry.status();
  return entry->plan->arenaBytes(entry->symbols);
}

} // namespace

Result<std::unique_ptr<Session>> Session::create(std::shared_ptr<const Artifact> artifact,
                                                 std::unique_ptr<Device> device, bool training) {
  auto session = std::make_unique<SessionImpl>(std::move(artifact), std::move(device));
  BIFOCAL_RETURN_IF_ERROR(session->prepare(training));
  return std::unique_ptr<Session>(std::move(session));
}

} // namespace bifocal
