// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/Artifact.h"

#include "codegen/KernelCache.h"
#include "codegen/PlanToJson.h"
#include "codegen/cpu/Lowering.h"
#include "codegen/cuda/CudaFiles.h"
#include "passes/ParameterLayout.h"
#include "runtime/core/ArtifactFormat.h"

#include <fmt/format.h>
#include <map>
#include <xxhash.h>
#include <zip.h>

using namespace mlir;
using nlohmann::json;

namespace bifocal {

static std::string digestOf(const std::string &bytes) {
  XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

static json describeParameters(const ParameterLayout &layout) {
  json parameters = json::array();
  for (const PlacedParameter &placed : layout.parameters()) {
    ParamOp param = placed.op;
    ArrayRef<int64_t> shape = cast<RankedTensorType>(param.getType()).getShape();
    parameters.push_back({{"name", param.getSymName().str()},
                          {"aliases", attributeToJson(param.getAliases())},
                          {"shape", std::vector<int64_t>(shape.begin(), shape.end())},
                          {"dtype", "f32"},
                          {"offset", placed.offset},
                          {"init", attributeToJson(param.getInit())},
                          {"trained", !param.getFrozen()},
                          {"stored", !param.getTransient()}});
  }
  return parameters;
}

static json describeStates(ModuleOp module) {
  json states = json::array();
  for (auto state : module.getOps<StateOp>()) {
    auto type = cast<RankedTensorType>(state.getType());
    json dims = json::array();
    for (auto [extent, name] : llvm::zip(type.getShape(), state.getDims().getAsRange<StringAttr>()))
      dims.push_back(ShapedType::isDynamic(extent) ? json(name.str()) : json(extent));
    std::string element;
    llvm::raw_string_ostream(element) << type.getElementType();
    states.push_back({{"name", state.getSymName().str()}, {"dtype", element}, {"dims", dims}});
  }
  return states;
}

/// Moments that the optimizer keeps: the slabs that a buffer lies in.
static int64_t countMoments(ModuleOp module) {
  int64_t moments = 0;
  module.walk([&](plan::BufferOp buffer) {
    if (buffer.getRegion() == plan::Region::moment1)
      moments = std::max<int64_t>(moments, 1);
    if (buffer.getRegion() == plan::Region::moment2)
      moments = 2;
  });
  return moments;
}

static json describeModel(ModuleOp module, const std::map<std::string, std::string> &files) {
  auto dictionary = [&](StringRef name) {
    Attribute attribute = module->getAttr(name);
    return attribute ? attributeToJson(attribute) : json::object();
  };
  auto text = module->getAttrOfType<StringAttr>("bifocal.spec");
  std::string spec = text ? text.str() : "";
  json digests = json::object();
  for (const auto &[name, bytes] : files)
    digests[name] = digestOf(bytes);
  ParameterLayout layout(module);
  return {{"format", format::version},
          {"bifocal", BIFOCAL_VERSION},
          {"digest", digests},
          {"spec", spec},
          {"spec_hash", fmt::format("{:016x}", XXH3_64bits(spec.data(), spec.size()))},
          {"model", dictionary("bifocal.model")},
          {"training", dictionary("bifocal.training")},
          {"parameters", describeParameters(layout)},
          {"parameter_elements", layout.elements()},
          {"trained_elements", layout.trainedElements()},
          {"moments", countMoments(module)},
          {"states", describeStates(module)}};
}

namespace {
/// A zip archive that grows in memory.
class ZipWriter {
public:
  ZipWriter() {
    source = zip_source_buffer_create(nullptr, 0, 0, nullptr);
    // The archive takes its reference with it when it is closed; ours keeps the bytes readable.
    zip_source_keep(source);
    archive = zip_open_from_source(source, ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  }
  ~ZipWriter() {
    if (archive)
      zip_discard(archive);
    zip_source_free(source);
  }

  /// `bytes` must live until `finish`.
  bool add(const std::string &name, const std::string &bytes) {
    zip_source_t *entry = zip_source_buffer(archive, bytes.data(), bytes.size(), 0);
    zip_int64_t index = zip_file_add(archive, name.c_str(), entry, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
      zip_source_free(entry);
      return false;
    }
    auto place = static_cast<zip_uint64_t>(index);
    // A fixed time: equal contents give equal files. It is the first one that the format can hold.
    constexpr time_t start = 315619200;
    return zip_set_file_compression(archive, place, ZIP_CM_STORE, 0) == 0 &&
           zip_file_set_mtime(archive, place, start, 0) == 0;
  }

  std::optional<std::string> finish() {
    if (zip_close(archive) != 0)
      return std::nullopt;
    archive = nullptr;
    zip_stat_t info;
    if (zip_source_stat(source, &info) != 0 || !(info.valid & ZIP_STAT_SIZE) || zip_source_open(source) != 0)
      return std::nullopt;
    std::string bytes(info.size, '\0');
    zip_int64_t got = zip_source_read(source, bytes.data(), bytes.size());
    zip_source_close(source);
    if (got != static_cast<zip_int64_t>(bytes.size()))
      return std::nullopt;
    return bytes;
  }

private:
  zip_source_t *source;
  zip_t *archive;
};
} // namespace

/// The kernels of every target, compiled or from the cache.
static Status addKernels(ModuleOp module, KernelFiles &files) {
  const KernelCache cache;
  auto add = [&](llvm::Expected<KernelFiles> made, StringRef target) -> Status {
    if (!made)
      return {StatusCode::internal,
              fmt::format("the kernels of {}: {}", target.str(), llvm::toString(made.takeError()))};
    files.merge(*made);
    return {};
  };
  for (auto kernels : module.getOps<ModuleOp>()) {
    StringRef level = kernels.getSymName().value_or("");
    auto make = [&]() -> llvm::Expected<KernelFiles> {
      llvm::Expected<std::string> object = emitSharedObject(kernels, level);
      if (!object)
        return object.takeError();
      return KernelFiles{{fmt::format("{}{}{}", format::hostPrefix, level.str(), format::hostSuffix), *object}};
    };
    BIFOCAL_RETURN_IF_ERROR(add(cache.get(kernels, level, make), level));
  }
  for (auto kernels : module.getOps<gpu::GPUModuleOp>())
    BIFOCAL_RETURN_IF_ERROR(add(cache.get(kernels, "cuda", [&] { return emitCudaFiles(kernels); }), "GPUs"));
  return {};
}

Result<std::string> writeArtifact(ModuleOp module) {
  KernelFiles files;
  files[std::string(format::planEntry)] = planToJson(module).dump();
  BIFOCAL_RETURN_IF_ERROR(addKernels(module, files));
  std::string manifest = describeModel(module, files).dump(1);
  ZipWriter writer;
  bool written = writer.add(std::string(format::manifestEntry), manifest);
  for (const auto &[name, bytes] : files)
    written = written && writer.add(name, bytes);
  std::optional<std::string> archive = written ? writer.finish() : std::nullopt;
  if (!archive)
    return Status(StatusCode::internal, "the archive of the artifact was not written");
  return std::move(*archive);
}

} // namespace bifocal
