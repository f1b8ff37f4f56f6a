// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The steps of an entry point.
#include "runtime/core/ArtifactFormat.h"
#include "runtime/core/PlanReader.h"

#include <algorithm>
#include <fmt/format.h>

namespace bifocal {

Status EntryReader::readSteps(const nlohmann::json &json, const std::string &where, bool window,
                              std::vector<PlanStep> &steps) {
  for (size_t i = 0; i < json.size(); ++i) {
    JsonReader reader(json[i], fmt::format("{}[{}]", where, i));
    PlanStep step;
    const std::string op = reader.string("op");
    step.location = reader.string("loc", "");
    if (op == "launch")
      step.action = readLaunch(reader, window);
    else if (op == "gemm")
      step.action = readGemm(reader, window);
    else if (op == "fill")
      step.action = readFill(reader, window);
    else if (op == "copy")
      step.action = CopyStep{whole(reader, "from", window), whole(reader, "to", window)};
    else if (op == "slabs" && !window)
      step.action = readSlabs(reader);
    else
      reader.fail("op", fmt::format("expects launch, gemm, fill, copy or, outside of slabs, slabs; but got '{}'", op));
    const auto *launch = std::get_if<LaunchStep>(&step.action);
    step.family = reader.string("family", launch ? launch->kernel : op);
    BIFOCAL_RETURN_IF_ERROR(reader.status());
    steps.push_back(std::move(step));
  }
  return {};
}

LaunchStep EntryReader::readLaunch(JsonReader &reader, bool window) {
  LaunchStep launch;
  launch.kernel = reader.string("kernel");
  launch.buffers = references(reader, "buffers", window);
  launch.sizes = expressions(reader, "sizes", window);
  launch.stages = expressions(reader, "stages", window);
  if (const nlohmann::json &count = reader.member("multiply_adds"); !count.is_null())
    launch.multiplyAdds = expression(reader, "multiply_adds", count, window);
  if (!addMultiplyAdds(launch.multiplyAdds.splitFactor().first))
    reader.fail("multiply_adds", "expects a number that fits in 64 bits with those of all steps before");
  return launch;
}

GemmStep EntryReader::readGemm(JsonReader &reader, bool window) {
  GemmStep gemm;
  gemm.kernel = reader.string("kernel");
  gemm.m = expression(reader, "m", reader.member("m"), window);
  gemm.n = expression(reader, "n", reader.member("n"), window);
  gemm.k = expression(reader, "k", reader.member("k"), window);
  gemm.a = reference(reader, "a", reader.member("a"), window);
  gemm.b = reference(reader, "b", reader.member("b"), window);
  gemm.c = reference(reader, "c", reader.member("c"), window);
  if (!reader.member("mask").is_null())
    gemm.mask = whole(reader, "mask", window);
  if (!reader.member("workspace").is_null())
    gemm.workspace = whole(reader, "workspace", window);
  const double beta = reader.number("beta", 0.0);
  if (beta != 0.0 && beta != 1.0)
    reader.fail("beta", fmt::format("expects 0 or 1, but got {}", beta));
  gemm.accumulate = beta == 1.0;
  if (reader.status().ok())
    checkMatrices(reader, gemm);
  countMultiplyAdds(reader, gemm);
  const nlohmann::json &json = reader.member("epilogue");
  if (!json.is_null()) {
    JsonReader inner(json, "epilogue");
    gemm.epilogue = GemmStep::Epilogue{inner.string("kernel"), references(inner, "buffers", window),
                                       expressions(inner, "sizes", window), inner.integer("rows_per_tile")};
    // A bound, so that what the executor rounds up to whole tiles does not overflow.
    if (gemm.epilogue->rowsPerTile < 1 || gemm.epilogue->rowsPerTile > format::mostRowsPerTile)
      inner.fail("rows_per_tile",
                 fmt::format("expects from 1 to {}, but got {}", format::mostRowsPerTile, gemm.epilogue->rowsPerTile));
    reader.check("epilogue", inner.status());
  }
  return gemm;
}

void EntryReader::countMultiplyAdds(JsonReader &reader, const GemmStep &gemm) {
  int64_t factor = 1;
  bool overflows = false;
  for (const Expression &extent : {gemm.m, gemm.n, gemm.k})
    overflows |= __builtin_mul_overflow(factor, extent.constant().value_or(1), &factor);
  if (overflows || !addMultiplyAdds(factor))
    reader.fail("m", fmt::format("expects that m * n * k of this and all products before fits in 64 bits, but got "
                                 "{} * {} * {}",
                                 gemm.m.str(entry_.symbols), gemm.n.str(entry_.symbols), gemm.k.str(entry_.symbols)));
}

void EntryReader::checkMatrices(JsonReader &reader, GemmStep &gemm) const {
  const auto typeOf = [&](const BufferRef &ref) { return entry_.buffers[ref.id].type; };
  for (const auto &[key, ref] : {std::pair("a", gemm.a), std::pair("b", gemm.b), std::pair("c", gemm.c)})
    if (const ElementType type = typeOf(ref); !isFloat(type))
      return reader.fail(key, fmt::format("expects a buffer of f32, bf16 or f16, but got {}", bifocal::name(type)));
  const auto floats = format::gemmKernelsOf(name(typeOf(gemm.a)), name(typeOf(gemm.b)), name(typeOf(gemm.c)));
  std::vector<std::string> kernels(floats.begin(), floats.end());
  if (floats.front() == format::gemmKernels.front())
    kernels.insert(kernels.end(), format::quantizedKernels.begin(), format::quantizedKernels.end());
  const auto form = std::ranges::find(kernels, gemm.kernel) - kernels.begin();
  if (form == std::ssize(kernels))
    reader.fail("kernel", fmt::format("expects one of {}, but got '{}'", fmt::join(kernels, ", "), gemm.kernel));
  gemm.quantized = form >= std::ssize(floats);
  gemm.transA = form >= 2 && !gemm.quantized;
  gemm.transB = form % 2 == 1 || gemm.quantized;
  if (gemm.mask && typeOf(*gemm.mask) != ElementType::i1)
    reader.fail("mask", "expects an i1 buffer");
  if (gemm.mask && gemm.kernel == floats.back())
    reader.fail("mask", "expects no mask where both matrices are stored transposed");
  if (!gemm.workspace)
    return;
  if (typeOf(*gemm.workspace) != ElementType::f32)
    reader.fail("workspace", "expects an f32 buffer");
  const bool kept = entry_.buffers[gemm.workspace->id].region == Region::panels;
  if (!kept && entry_.buffers[gemm.workspace->id].region != Region::arena)
    reader.fail("workspace", "expects a buffer of the arena or of the panels");
  const PlanBuffer &b = entry_.buffers[gemm.b.id];
  if (kept && (b.region != Region::parameter || b.row != 0 || gemm.b.rowBytes != 0))
    reader.fail("workspace", "expects panels of a whole parameter, but b is something else");
}

FillStep EntryReader::readFill(JsonReader &reader, bool window) {
  FillStep fill{whole(reader, "buffer", window), 0};
  const int64_t value = reader.integer("value", 0);
  if (value < 0 || value > int64_t{UINT32_MAX})
    reader.fail("value", fmt::format("expects the 32 bits of a number, but got {}", value));
  fill.value = static_cast<uint32_t>(value);
  return fill;
}

SlabsStep EntryReader::readSlabs(JsonReader &reader) {
  SlabsStep slabs;
  slabs.rows = expression(reader, "rows", reader.member("rows"), false);
  slabs.by = reader.integer("by");
  if (slabs.by < 1 || slabs.by > INT32_MAX)
    reader.fail("by", fmt::format("expects from 1 to {}, but got {}", INT32_MAX, slabs.by));
  reader.check("body", readSteps(reader.array("body"), "body", true, slabs.body));
  return slabs;
}

} // namespace bifocal
