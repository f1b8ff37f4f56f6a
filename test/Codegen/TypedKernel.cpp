// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/Codegen/TypedKernel.h"

#include <functional>
#include <limits>
#include <random>
#include <sstream>

namespace bifocal::test {

std::string withElement(std::string source, const std::string &from, const std::string &to) {
  for (size_t at = 0; (at = source.find(from, at)) != std::string::npos; at += to.size())
    source.replace(at, from.size(), to);
  return source;
}

template <typename T> static void fill(Memory &memory, const std::function<T()> &next) {
  memory.bytes.resize(memory.count * sizeof(T) + 64, 0x55);
  for (int64_t i = 0; i < memory.count; ++i) {
    T value = next();
    std::memcpy(memory.bytes.data() + i * sizeof(T), &value, sizeof(T));
  }
}

/// [B, heads, T]: of three axes it alone has a fixed one in the middle.
static bool isLogSums(const KernelTensor &tensor) { return tensor.dims.size() == 3 && tensor.dims[1] >= 1; }

/// Values that `narrow` holds, in memory of the tensor's own element type. The seed is the tensor's number.
static Memory draw(const TypedKernel &kernel, const KernelTensor &tensor, const std::string &narrow, int64_t count,
                   unsigned seed) {
  const auto number = static_cast<int64_t>(seed);
  Memory memory{tensor.element, {}, count};
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-2.0f, 2.0f);
  if (memory.isNarrow())
    fill<uint16_t>(memory, [&] { return nearest(uniform(generator), narrow); });
  else if (number == kernel.spans)
    fill<float>(memory, [&, place = 0]() mutable {
      constexpr float spans[] = {0.6F, 0.15F, -0.5F, std::numeric_limits<float>::quiet_NaN()};
      return spans[place++ % 4];
    });
  else if (number == kernel.whole)
    fill<float>(memory, [&] { return uniform(generator); });
  else if (isLogSums(tensor) && kernel.hidden > 0)
    fill<float>(memory, [&, place = int64_t{0}]() mutable {
      // The sum over no key is 0.
      return place++ < count / 2 ? -std::numeric_limits<float>::infinity() : uniform(generator);
    });
  else if (tensor.element == "f32")
    fill<float>(memory, [&] { return widened(nearest(uniform(generator), narrow), narrow); });
  else if (tensor.element == "i1")
    fill<uint8_t>(memory, [&, place = int64_t{0}]() mutable {
      const int64_t at = place++;
      return static_cast<uint8_t>(at >= kernel.hidden && (at == 0 || generator() % 4 != 0));
    });
  else if (tensor.element == "i32")
    fill<int32_t>(memory, [&] { return static_cast<int32_t>(generator() % kernel.limit); });
  else
    fill<int64_t>(memory, [&] { return static_cast<int64_t>(generator()); });
  return memory;
}

CompiledKernel::CompiledKernel(const TypedKernel &form, const KernelLevel &level, const std::string &element)
    : form(form) {
  std::string error;
  const std::string source = withElement(form.source, "xE>", "x" + element + ">");
  kernel = KernelHarness::create(source, level.shapes, error, level.instructions);
  EXPECT_TRUE(kernel) << error << source;
}

std::vector<Memory> CompiledKernel::run(const std::string &narrow) const {
  if (!kernel)
    return {};
  size_t results = 0, size = 0;
  std::vector<Memory> memories;
  for (const KernelTensor &tensor : kernel->tensors(results)) {
    int64_t count = 1;
    for (int64_t dim : tensor.dims)
      count *= dim < 0 ? form.sizes.at(size++) : dim;
    memories.push_back(draw(form, tensor, narrow, count, static_cast<unsigned>(memories.size())));
  }
  if (form.slab > 0)
    memories.push_back(draw(form, {"f32", {}}, narrow, form.slab, 99));
  std::vector<void *> buffers;
  for (Memory &memory : memories)
    buffers.push_back(memory.bytes.data());
  EXPECT_EQ(kernel->run(buffers, form.sizes), "");
  memories.erase(memories.begin(), memories.begin() + static_cast<int64_t>(results));
  return memories;
}

std::string op(const std::string &name, const std::string &operands, const std::string &rest,
               const std::string &results, const std::string &attributes) {
  std::string arguments, types, names, resultNames, resultTypes;
  auto split = [](const std::string &text, const std::function<void(std::string, std::string)> &each) {
    std::istringstream words(text);
    for (std::string word; words >> word;)
      each("%" + word.substr(0, word.find(':')), "tensor<" + word.substr(word.find(':') + 1) + ">");
  };
  auto join = [](std::string &list, const std::string &item) { list += (list.empty() ? "" : ", ") + item; };
  split(operands, [&](const std::string &operand, const std::string &type) {
    join(arguments, operand + ": " + type), join(types, type), join(names, operand);
  });
  split(results, [&](const std::string &result, const std::string &type) {
    join(resultNames, result), join(resultTypes, type);
  });
  const std::string left = results.empty() ? "" : resultNames + " = ";
  // `rest` may name operands in its own way; without one they stand in a row.
  const std::string right = rest.empty() ? names : rest;
  const std::string signature = results.empty() ? types : "(" + types + ") -> (" + resultTypes + ")";
  return kernelSource(arguments, left + "bifocal." + name + " " + right + " " + attributes + " : " + signature,
                      results.empty() ? "" : resultNames + " : " + resultTypes);
}

} // namespace bifocal::test
