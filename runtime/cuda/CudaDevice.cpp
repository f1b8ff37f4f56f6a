// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/cuda/CudaDevice.h"

#include "runtime/core/PlanDevice.h"
#include "runtime/cuda/CudaBackend.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <map>
#include <set>

namespace bifocal {
namespace {

using cuda::MemoryKind;

/// A block of one kind.
class Block {
public:
  Block(std::shared_ptr<cuda::Driver> driver, std::byte *data, size_t size, MemoryKind kind)
      : driver_(std::move(driver)), data_(data), size_(size), kind_(kind) {}
  Block(const Block &) = delete;
  Block &operator=(const Block &) = delete;
  ~Block() {
    if (data_)
      driver_->release(data_, kind_);
  }
  static Result<std::unique_ptr<Block>> take(const std::shared_ptr<cuda::Driver> &driver, size_t bytes,
                                             MemoryKind kind) {
    if (bytes == 0)
      return std::make_unique<Block>(driver, nullptr, 0, kind);
    BIFOCAL_RETURN_IF_ERROR(driver->attach());
    const Result<std::byte *> memory = driver->allocate(bytes, kind);
    if (!memory.ok())
      return memory.status();
    return std::make_unique<Block>(driver, *memory, bytes, kind);
  }
  std::byte *data() const { return data_; }
  size_t size() const { return size_; }

private:
  std::shared_ptr<cuda::Driver> driver_; ///< memory may outlive the device
  std::byte *data_;
  size_t size_;
  MemoryKind kind_;
};

class CudaMemory;
/// The memory that the host has a view of.
using Views = std::set<CudaMemory *>;

class CudaMemory final : public DeviceMemory {
public:
  CudaMemory(std::shared_ptr<cuda::Driver> driver, std::unique_ptr<Block> block, std::shared_ptr<Views> views)
      : driver_(std::move(driver)), block_(std::move(block)), views_(std::move(views)) {}
  ~CudaMemory() override { views_->erase(this); }

  std::byte *data() const override { return block_->data(); }
  size_t size() const override { return block_->size(); }

  std::byte *host() override {
    if (views_->contains(this) || size() == 0)
      return mirror_ ? mirror_->data() : nullptr;
    if (!mirror_) {
      Result<std::unique_ptr<Block>> mirror = Block::take(driver_, size(), MemoryKind::staging);
      if (!mirror.ok())
        return nullptr;
      mirror_ = mirror.take();
    }
    if (!driver_->attach().ok() || !driver_->copy(mirror_->data(), data(), static_cast<int64_t>(size())).ok() ||
        !driver_->wait().ok())
      return nullptr;
    views_->insert(this);
    return mirror_->data();
  }

  /// The host may have written to its view.
  Status takeBack() { return driver_->copy(data(), mirror_->data(), static_cast<int64_t>(size())); }

private:
  std::shared_ptr<cuda::Driver> driver_;
  std::unique_ptr<Block> block_, mirror_;
  std::shared_ptr<Views> views_;
};

/// Inputs and outputs of a call on their way: one block of the host, one of the device, one copy each way.
struct Stage {
  std::unique_ptr<Block> host, device;
  std::vector<std::byte *> inputs, outputs; ///< on the device
  size_t inputBytes = 0, bytes = 0;
};

/// A call with the same shapes and the same memory as another one issues the same steps.
using Key = std::vector<int64_t>;

class CudaDevice final : public PlanDevice {
public:
  explicit CudaDevice(std::unique_ptr<cuda::Driver> driver) : driver_(std::move(driver)), backend_(*driver_) {}
  ~CudaDevice() override { (void)driver_->wait(); }

  std::string description() const override { return driver_->description(); }

  Result<std::unique_ptr<DeviceMemory>> allocate(size_t bytes, MemoryUse) override {
    Result<std::unique_ptr<Block>> block = Block::take(driver_, bytes, MemoryKind::device);
    if (!block.ok())
      return block.status();
    return std::unique_ptr<DeviceMemory>(std::make_unique<CudaMemory>(driver_, block.take(), views_));
  }
  /// Libraries of products for GPUs read parameters as they are.
  bool keepsPanels() const override { return false; }
  bool sharesHostMemory() const override { return false; }

  Status load(const Artifact &artifact) override {
    const DeviceCode &code = artifact.deviceCode();
    if (code.kernels.empty())
      return {StatusCode::unsupported, "the artifact has no kernels for GPUs: compile it with --target=cuda:sm_80 or "
                                       "another architecture, or with --target=cuda-emu for the emulator"};
    BIFOCAL_RETURN_IF_ERROR(driver_->load(code));
    backend_.use(code);
    return prepare(artifact, backend_);
  }

  Status execute(size_t entry, const Bindings &given) override {
    BIFOCAL_RETURN_IF_ERROR(driver_->attach());
    for (CudaMemory *memory : *views_)
      BIFOCAL_RETURN_IF_ERROR(memory->takeBack());
    views_->clear();
    BIFOCAL_RETURN_IF_ERROR(layOut(given));
    Bindings bindings = given;
    bindings.inputs = stage_.inputs;
    bindings.outputs = stage_.outputs;
    std::byte *host = stage_.host ? stage_.host->data() : nullptr;
    for (size_t i = 0; i < given.inputs.size(); ++i)
      std::memcpy(host + (stage_.inputs[i] - stage_.device->data()), given.inputs[i],
                  static_cast<size_t>(given.inputBytes[i]));
    if (stage_.inputBytes > 0)
      BIFOCAL_RETURN_IF_ERROR(driver_->copy(stage_.device->data(), host, static_cast<int64_t>(stage_.inputBytes)));
    BIFOCAL_RETURN_IF_ERROR(issueOrReplay(entry, bindings));
    if (stage_.bytes > stage_.inputBytes)
      BIFOCAL_RETURN_IF_ERROR(driver_->copy(host + stage_.inputBytes, stage_.device->data() + stage_.inputBytes,
                                            static_cast<int64_t>(stage_.bytes - stage_.inputBytes)));
    BIFOCAL_RETURN_IF_ERROR(driver_->wait());
    for (size_t i = 0; i < given.outputs.size(); ++i)
      std::memcpy(given.outputs[i], host + (stage_.outputs[i] - stage_.device->data()),
                  static_cast<size_t>(given.outputBytes[i]));
    return {};
  }

private:
  /// Gives inputs and outputs their places; the blocks grow and never shrink.
  Status layOut(const Bindings &bindings) {
    constexpr size_t alignment = 256;
    size_t bytes = 0;
    std::vector<size_t> &places = places_;
    places.clear();
    const auto place = [&](std::span<const int64_t> sizes) {
      for (const int64_t size : sizes) {
        places.push_back(bytes);
        bytes += (static_cast<size_t>(size) + alignment - 1) / alignment * alignment;
      }
    };
    place(bindings.inputBytes);
    stage_.inputBytes = bytes;
    place(bindings.outputBytes);
    stage_.bytes = bytes;
    if (!stage_.host || stage_.host->size() < std::max(bytes, alignment))
      for (auto [block, kind] : {std::pair(&stage_.host, MemoryKind::staging), {&stage_.device, MemoryKind::device}}) {
        block->reset();
        Result<std::unique_ptr<Block>> memory = Block::take(driver_, std::max(bytes, alignment), kind);
        if (!memory.ok())
          return memory.status();
        *block = memory.take();
      }
    std::byte *base = stage_.device->data();
    stage_.inputs.clear();
    stage_.outputs.clear();
    for (size_t i = 0; i < places.size(); ++i)
      (i < bindings.inputs.size() ? stage_.inputs : stage_.outputs).push_back(base + places[i]);
    return {};
  }

  /// Everything that the steps of a call depend on.
  void describe(size_t entry, const Bindings &bindings, Key &key) const {
    const auto address = [](const std::byte *memory) {
      return static_cast<int64_t>(reinterpret_cast<uintptr_t>(memory));
    };
    key.assign({static_cast<int64_t>(entry), static_cast<int64_t>(backend_.generation()), address(bindings.arena)});
    key.insert(key.end(), bindings.symbols.begin(), bindings.symbols.end());
    for (std::byte *slab : bindings.slabs)
      key.push_back(address(slab));
    for (std::byte *state : bindings.states)
      key.push_back(address(state));
    for (const std::span<std::byte *const> memory : {bindings.inputs, bindings.outputs})
      for (std::byte *argument : memory)
        key.push_back(address(argument));
  }

  /// A call is recorded the second time that it comes: the first one allocates what it needs.
  Status issueOrReplay(size_t entry, const Bindings &bindings) {
    if (!driver_->records() || profiling())
      return issue(entry, bindings);
    describe(entry, bindings, key_);
    const auto known = recordings_.find(key_);
    if (known != recordings_.end() && known->second)
      return driver_->replay(*known->second);
    if (known == recordings_.end()) {
      BIFOCAL_RETURN_IF_ERROR(issue(entry, bindings));
      // What it has allocated may have changed its own key.
      describe(entry, bindings, key_);
      if (recordings_.size() >= cuda::Driver::mostRecordings) {
        BIFOCAL_RETURN_IF_ERROR(driver_->wait());
        driver_->forgetRecordings();
        recordings_.clear();
      }
      recordings_.emplace(key_, std::nullopt);
      return {};
    }
    BIFOCAL_RETURN_IF_ERROR(driver_->beginRecording());
    const Status issued = issue(entry, bindings);
    const Result<size_t> recording = driver_->endRecording();
    BIFOCAL_RETURN_IF_ERROR(issued);
    if (!recording.ok())
      return recording.status();
    known->second = *recording;
    return driver_->replay(*recording);
  }

  std::shared_ptr<cuda::Driver> driver_;
  std::shared_ptr<Views> views_ = std::make_shared<Views>();
  cuda::CudaBackend backend_;
  Stage stage_;
  std::vector<size_t> places_;
  Key key_;
  std::map<Key, std::optional<size_t>> recordings_;
};

} // namespace

std::unique_ptr<Device> makeCudaDevice(std::unique_ptr<cuda::Driver> driver) {
  return std::make_unique<CudaDevice>(std::move(driver));
}

Result<std::unique_ptr<Device>> makeCudaDevice() {
  Result<std::unique_ptr<cuda::Driver>> driver = cuda::openCudaDriver();
  if (!driver.ok())
    return driver.status();
  return makeCudaDevice(driver.take());
}

} // namespace bifocal
