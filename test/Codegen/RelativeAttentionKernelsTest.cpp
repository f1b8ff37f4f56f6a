// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What spans save: keys behind them are not read, and whether they are there changes no bit.

#include "test/Codegen/KernelLevels.h"
#include "test/Codegen/KernelTestData.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

namespace bifocal::test {
namespace {

constexpr int64_t batch = 1, steps = 9, heads = 1, width = 16, unit = 1024, ramp = 8, span = 20;
/// A head reads this many steps of memory at most: its span with the ramp, up to a whole block of keys.
constexpr int64_t farthest = span + 1 + ramp, block = 64;

/// Rows of keys or values at the end of whole pages, those before row `first` in pages that nobody may read.
class Rows {
public:
  Rows(int64_t rows, unsigned seed, int64_t first) : bytes(static_cast<size_t>(rows * width) * sizeof(float)) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    mapped = (bytes + page - 1) / page * page;
    memory = static_cast<char *>(mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    // The values of a row do not depend on how many come before it.
    const Guarded all = random((unit + steps) * width, seed);
    for (int64_t at = 0; at < rows * width; ++at)
      data()[at] = all[all.size() - rows * width + at];
    const size_t hidden = (mapped - bytes + static_cast<size_t>(first * width) * sizeof(float)) / page * page;
    if (hidden > 0)
      EXPECT_EQ(mprotect(memory, hidden, PROT_NONE), 0);
  }
  Rows(const Rows &) = delete;
  Rows &operator=(const Rows &) = delete;
  ~Rows() { munmap(memory, mapped); }

  float *data() { return reinterpret_cast<float *>(memory + mapped - bytes); }

private:
  size_t bytes, mapped = 0;
  char *memory = nullptr;
};

struct Results {
  Guarded output{batch * steps * heads * width}, lse{batch * heads * steps};
  Guarded query{batch * steps * heads * width}, position{query.size()}, positions{unit * width}, spans{heads};
  std::vector<float> keys, values; ///< of the last rows that every memory has
};

std::string attributes() {
  return " {heads = " + std::to_string(heads) +
         " : i64, scale = 0.25 : f32, nearest = 1 : i64, span_unit = " + std::to_string(unit) +
         " : i64, ramp = " + std::to_string(ramp) + " : i64} : ";
}

class RelativeAttentionKernels : public testing::TestWithParam<std::string> {
protected:
  static constexpr const char *row = "tensor<?x?x16xf32>", *table = "tensor<?x16xf32>", *part = "tensor<1xf32>",
                              *sums = "tensor<?x1x?xf32>";
  static std::string join(std::initializer_list<std::string> types) {
    std::string text;
    for (const std::string &type : types)
      text += (text.empty() ? "" : ", ") + type;
    return text;
  }

  void run(const std::string &source, std::vector<void *> buffers, const std::vector<int64_t> &sizes) {
    std::string error;
    auto kernel = KernelHarness::create(source, GetParam(), error);
    ASSERT_TRUE(kernel) << error << source;
    EXPECT_EQ(kernel->run(std::move(buffers), sizes), "");
  }

  /// With `memory` steps before the queries, of which those before `first` may not be read.
  void attend(int64_t memory, int64_t first, Results &results) {
    const int64_t keys = memory + steps;
    Rows key(keys, 2, first), value(keys, 3, first);
    Guarded query = random(results.query.size(), 1), outputGrad = random(results.output.size(), 4);
    Guarded positions = random(unit * width, 5), spans(heads, static_cast<float>(span) / unit);
    const std::string inputs = join({row, row, row, row, table});
    run(kernelSource(std::string("%q: ") + row + ", %p: " + row + ", %k: " + row + ", %v: " + row + ", %r: " + table +
                         ", %z: " + part,
                     "%y, %l = bifocal.relative_attention %q, %p, %k, %v, %r span %z" + attributes() + "(" + inputs +
                         ", " + part + ") -> (" + join({row, sums}) + ")",
                     "%y, %l : " + join({row, sums})),
        {query, query, key.data(), value.data(), positions, spans, results.output, results.lse},
        {batch, steps, batch, steps, batch, keys, batch, keys, unit, batch, steps, batch, steps});
    Guarded keyGrad(keys * width), valueGrad(keys * width);
    run(kernelSource(std::string("%g: ") + row + ", %q: " + row + ", %p: " + row + ", %k: " + row + ", %v: " + row +
                         ", %r: " + table + ", %y: " + row + ", %l: " + sums + ", %z: " + part,
                     "%dq, %dp, %dk, %dv, %dr, %dz = bifocal.relative_attention_grad %g, %q, %p, %k, %v, %r, %y, %l "
                     "span %z" +
                         attributes() + "(" + row + ", " + inputs + ", " + join({row, sums, part}) + ") -> (" + inputs +
                         ", " + part + ")",
                     "%dq, %dp, %dk, %dv, %dr, %dz : " + inputs + ", " + part),
        {outputGrad, query, query, key.data(), value.data(), positions, results.output, results.lse, spans,
         results.query, results.position, keyGrad, valueGrad, results.positions, results.spans},
        {batch, steps, batch, steps, batch, steps, batch, keys,  batch, keys,  unit, batch,
         steps, batch, steps, batch, steps, batch, steps, batch, keys,  batch, keys, unit});
    for (int64_t at = (keys - steps - block) * width; at < keys * width; ++at) {
      results.keys.push_back(keyGrad[at]);
      results.values.push_back(valueGrad[at]);
    }
  }
};

// A warp's memory is that of the emulator, which all of it may be read from; that nothing behind the span counts shows
// in the bits.
TEST_P(RelativeAttentionKernels, KeysBehindTheSpanAreNotRead) {
  Results whole, trimmed;
  const int64_t readable = (unit - farthest) / block * block;
  attend(unit, GetParam() == "warp" ? 0 : readable, whole);
  attend(block, 0, trimmed);
  auto compare = [](const auto &left, const auto &right, int64_t count, const char *what) {
    for (int64_t at = 0; at < count; ++at)
      ASSERT_EQ(left[at], right[at]) << what << ' ' << at;
  };
  compare(whole.output, trimmed.output, whole.output.size(), "output");
  compare(whole.lse, trimmed.lse, whole.lse.size(), "lse");
  compare(whole.query, trimmed.query, whole.query.size(), "query_grad");
  compare(whole.position, trimmed.position, whole.position.size(), "position_query_grad");
  compare(whole.positions, trimmed.positions, whole.positions.size(), "positions_grad");
  compare(whole.spans, trimmed.spans, whole.spans.size(), "span_grad");
  compare(whole.keys, trimmed.keys, static_cast<int64_t>(whole.keys.size()), "key_grad");
  compare(whole.values, trimmed.values, static_cast<int64_t>(whole.values.size()), "value_grad");
  EXPECT_NE(whole.spans[0], 0.0F) << "there are keys on the ramp";
}

INSTANTIATE_TEST_SUITE_P(Levels, RelativeAttentionKernels, testing::ValuesIn(testedLevels()), shortLevelName);

} // namespace
} // namespace bifocal::test
