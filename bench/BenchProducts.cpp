// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How fast the generated matrix products are, called as the runtime calls them.
#include "bench/CommandLine.h"
#include "codegen/cpu/GemmKernels.h"
#include "codegen/cpu/Lowering.h"
#include "runtime/core/ArtifactFormat.h"
#include "runtime/core/Philox.h"
#include "runtime/cpu/CpuDevice.h"
#include "runtime/cpu/Gemm.h"
#include "runtime/cpu/SharedObject.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

using namespace bifocal;

namespace {

struct Options {
  std::vector<std::string> products = {"nt:4000x1024x512", "nn:4000x512x1024", "tn:1024x512x4000", "tn:512x512x4000",
                                       "nt:512x6632x512",  "nn:512x512x6632",  "tn:6632x512x512",  "nt:5x512x512"};
  std::string level, factors = "f32";
  int64_t repeat = 8, kept = 0;
  int threads = 2;
  bool json = false;

  bool quantized() const { return factors == "int8"; }
};

struct Product {
  bool transA = false, transB = false;
  int64_t m = 0, n = 0, k = 0;

  double flops() const { return 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k); }
  std::string layout() const { return fmt::format("{}{}", transA ? 'T' : 'N', transB ? 'T' : 'N'); }
};

Result<Product> parseProduct(const std::string &text) {
  Product product;
  char a = 0, b = 0;
  int length = 0;
  const bool whole =
      std::sscanf(text.c_str(), "%c%c:%ldx%ldx%ld%n", &a, &b, &product.m, &product.n, &product.k, &length) == 5 &&
      text[static_cast<size_t>(length)] == '\0';
  const auto isLayout = [](char letter) { return letter == 'n' || letter == 't'; };
  const auto isSize = [](int64_t size) { return size >= 1 && size <= 1 << 16; };
  if (!whole || !isLayout(a) || !isLayout(b) || !isSize(product.m) || !isSize(product.n) || !isSize(product.k))
    return Status(
        StatusCode::usage,
        fmt::format("expects a product such as nt:4000x1024x512 with sizes from 1 to 65536, but got '{}'", text));
  product.transA = a == 't', product.transB = b == 't';
  return product;
}

std::string kernelName(const Product &product, const Options &options) {
  return std::string(options.quantized() ? format::quantizedKernels[1]
                                         : format::gemmKernel(product.transA, product.transB));
}

/// Generates the kernels of all four layouts, or of the one that products of 8 bits have.
Result<std::unique_ptr<SharedObject>> makeKernels(const std::string &level, const Options &options) {
  mlir::MLIRContext context;
  mlir::Location location = mlir::UnknownLoc::get(&context);
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(location);
  const mlir::Type element = options.factors == "bf16" ? mlir::Type(mlir::BFloat16Type::get(&context))
                                                       : mlir::Type(mlir::Float32Type::get(&context));
  const auto quantization = options.quantized() ? plan::Quantization::factors : plan::Quantization::none;
  for (bool transA : {false, true})
    for (bool transB : {false, true}) {
      if (options.quantized() && (transA || !transB))
        continue;
      const GemmForm form{transA, transB, element, element, element, quantization};
      if (mlir::failed(
              writeGemm(*module, location, *VectorTarget::find(level), kernelName({transA, transB}, options), form)))
        return Status(StatusCode::internal, "the kernels of products cannot be written");
    }
  llvm::Expected<std::string> object = emitSharedObject(*module, level);
  if (!object)
    return Status(StatusCode::internal, llvm::toString(object.takeError()));
  return SharedObject::load(std::as_bytes(std::span(*object)), level);
}

/// `count` numbers of the element type of `options`, in as much memory as those of f32 need.
std::vector<float> numbers(int64_t count, uint64_t seed, const Options &options) {
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(philoxDraw(seed, i, 0, 0)) * 0x1p-31f - 1.0f;
  if (options.factors == "bf16")
    for (size_t i = 0; i < values.size(); ++i)
      std::memcpy(reinterpret_cast<char *>(values.data()) + 2 * i, reinterpret_cast<char *>(&values[i]) + 2, 2);
  return values;
}

/// GFLOP/s of each run, ascending.
std::vector<double> measure(const Product &product, const SharedObject &object, const Options &options) {
  const std::string name = kernelName(product, options);
  GemmKernels kernels;
  for (size_t stage = 0; stage < kernels.size(); ++stage)
    kernels[stage] = reinterpret_cast<CpuKernel>(object.find(fmt::format("{}.{}", name, stage)));
  const std::vector<float> a = numbers(product.m * product.k, 1, options),
                           b = numbers(product.k * product.n, 2, options);
  std::vector<float> c(static_cast<size_t>(product.m * product.n));
  const size_t panels = static_cast<size_t>(format::gemmWorkspace(product.n, product.k));
  std::vector<float> workspaces(panels * static_cast<size_t>(std::max<int64_t>(options.kept, 1)));
  GemmArguments arguments{product.m, product.n, product.k, a.data(), b.data(), c.data(), workspaces.data()};
  arguments.setAdjacent(product.transA, product.transB);
  if (options.kept > 0)
    arguments.panels = GemmArguments::Panels::keep;
  // Once before: pages and threads are there when the clock runs.
  for (auto at = workspaces.begin(); at != workspaces.end(); at += static_cast<std::ptrdiff_t>(panels)) {
    arguments.workspace = &*at;
    gemm(options.threads, kernels, arguments);
  }
  if (options.kept > 0)
    arguments.panels = GemmArguments::Panels::kept;
  std::vector<double> rates;
  for (int64_t run = 0; run < options.repeat; ++run) {
    arguments.workspace = workspaces.data() + static_cast<size_t>(run % std::max<int64_t>(options.kept, 1)) * panels;
    const auto begin = std::chrono::steady_clock::now();
    gemm(options.threads, kernels, arguments);
    rates.push_back(product.flops() * 1e-9 /
                    std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  std::sort(rates.begin(), rates.end());
  return rates;
}

Result<std::string> chooseLevel(const std::string &wanted) {
  for (std::string_view level : format::hostLevels)
    if (cpuHasLevel(level) && (wanted.empty() || wanted == level))
      return std::string(level);
  return Status(StatusCode::unsupported,
                wanted.empty() ? "expects a CPU of level x86-64-v3 or better"
                               : fmt::format("expects the level of this CPU or one below, but got '{}'", wanted));
}

Status run(const Options &options) {
  std::vector<Product> products;
  for (const std::string &text : options.products) {
    Result<Product> product = parseProduct(text);
    if (!product.ok())
      return product.status();
    if (options.quantized() && (product->transA || !product->transB))
      return {StatusCode::usage, fmt::format("expects an nt product of 8 bits, but got '{}'", text)};
    products.push_back(*product);
  }
  Result<std::string> level = chooseLevel(options.level);
  if (!level.ok())
    return level.status();
  Result<std::unique_ptr<SharedObject>> object = makeKernels(*level, options);
  if (!object.ok())
    return object.status();
  nlohmann::json json = {{"level", *level},
                         {"factors", options.factors},
                         {"threads", options.threads},
                         {"repeat", options.repeat},
                         {"kept", options.kept}};
  if (!options.json)
    fmt::print("{}, {}, {} threads, GFLOP/s of {} runs\n{:<28} {:>8} {:>8}\n", *level, options.factors, options.threads,
               options.repeat, "product m x n x k", "best", "median");
  for (const Product &product : products) {
    const std::vector<double> rates = measure(product, **object, options);
    const double best = rates.back(), median = rates[rates.size() / 2];
    if (options.json)
      json["products"].push_back({{"layout", product.layout()},
                                  {"m", product.m},
                                  {"n", product.n},
                                  {"k", product.k},
                                  {"best_gflop_per_s", best},
                                  {"median_gflop_per_s", median}});
    else
      fmt::print("{:<28} {:8.1f} {:8.1f}\n",
                 fmt::format("{} {} x {} x {}", product.layout(), product.m, product.n, product.k), best, median);
  }
  if (options.json)
    fmt::print("{}\n", json.dump());
  return {};
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app{"Times the generated matrix products on matrices of random numbers."};
  Options options;
  app.add_option("products", options.products,
                 "Layouts and sizes, such as nt:4000x1024x512: a as it is (n), b stored transposed (t), m x n x k; "
                 "without: those of a training step");
  app.add_option("--threads", options.threads, "Threads")->check(CLI::Range(1, 1024))->capture_default_str();
  app.add_option("--repeat", options.repeat, "Runs of each")->check(CLI::Range(1, 100000))->capture_default_str();
  app.add_option("--kept", options.kept,
                 "Pack b before, as decoding does, into this many sets of panels that runs take in turn: with one they "
                 "stay in the caches, with many they come from memory (0: pack in each run)")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  app.add_option("--factors", options.factors, "What is multiplied: matrices of f32 or bf16, or of f32 rounded to int8")
      ->check(CLI::IsMember({"f32", "bf16", "int8"}))
      ->capture_default_str();
  app.add_option("--level", options.level, "CPU level of the kernels (without: the best that fits)");
  app.add_flag("--json", options.json, "One line of JSON");
  app.footer("Exit codes: 0; 2 a wrong argument; 5 this CPU lacks the level.");
  if (const std::optional<int> code = parse(app, argc, argv))
    return *code;
  return report(run(options));
}
