// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "bench/kernels/Roofline.h"

#include "runtime/cpu/CpuDevice.h"
#include "runtime/cpu/ParallelFor.h"

#include <algorithm>
#include <chrono>
#include <immintrin.h>
#include <vector>

namespace bifocal::bench {
namespace {

/// Enough chains for two units of latency 4 or 5; what the additions end in is returned, so that they take place.
constexpr int chains = 12;

__attribute__((target("avx2,fma"))) float chainsOf8(int64_t rounds) {
  __m256 sums[chains];
  const __m256 factor = _mm256_set1_ps(0.999f), term = _mm256_set1_ps(0.001f);
  for (__m256 &sum : sums)
    sum = term;
  for (int64_t round = 0; round < rounds; ++round)
#pragma GCC unroll 12
    for (int chain = 0; chain < chains; ++chain)
      sums[chain] = _mm256_fmadd_ps(sums[chain], factor, term);
  float total = 0;
  for (const __m256 &sum : sums)
    total += _mm256_cvtss_f32(sum);
  return total;
}

__attribute__((target("avx512f"))) float chainsOf16(int64_t rounds) {
  __m512 sums[chains];
  const __m512 factor = _mm512_set1_ps(0.999f), term = _mm512_set1_ps(0.001f);
  for (__m512 &sum : sums)
    sum = term;
  for (int64_t round = 0; round < rounds; ++round)
#pragma GCC unroll 12
    for (int chain = 0; chain < chains; ++chain)
      sums[chain] = _mm512_fmadd_ps(sums[chain], factor, term);
  float total = 0;
  for (const __m512 &sum : sums)
    total += _mm512_cvtss_f32(sum);
  return total;
}

/// The fastest of many short runs, in seconds: one of them is left alone by whatever else the machine does.
template <typename Body> double fastest(Body &&body) {
  using Clock = std::chrono::steady_clock;
  double best = 1e30;
  const Clock::time_point first = Clock::now();
  for (int run = 0; run < 20 || Clock::now() - first < std::chrono::milliseconds(150); ++run) {
    const Clock::time_point begin = Clock::now();
    body();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - begin).count());
  }
  return best;
}

/// The part of `vectors` that a loop of `steps` steps has been through after `step` of them.
size_t progress(size_t vectors, size_t step, size_t steps) { return vectors * step / steps; }

/// Reads so many vectors of 8 while it writes so many others: what a kernel with these operands and results cannot
/// avoid. Both sides keep pace.
__attribute__((target("avx2,fma"))) void traffic(const float *from, size_t reads, float *to, size_t writes) {
  const size_t steps = std::max<size_t>(1, std::max(reads, writes) / 512);
  // One sum would wait for itself.
  __m256 sums[4] = {};
  for (size_t step = 0; step < steps; ++step) {
    size_t at = progress(reads, step, steps);
    const size_t readEnd = progress(reads, step + 1, steps);
    for (; at + 4 <= readEnd; at += 4)
#pragma GCC unroll 4
      for (size_t i = 0; i < 4; ++i)
        sums[i] = _mm256_add_ps(sums[i], _mm256_loadu_ps(from + (at + i) * 8));
    for (; at < readEnd; ++at)
      sums[0] = _mm256_add_ps(sums[0], _mm256_loadu_ps(from + at * 8));
    const __m256 sum = _mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3]));
    for (at = progress(writes, step, steps); at < progress(writes, step + 1, steps); ++at)
      _mm256_storeu_ps(to + at * 8, sum);
  }
}

} // namespace

double Roofline::peakFlops() {
  if (peak_ > 0)
    return peak_;
  const bool wide = cpuHasLevel("x86-64-v4");
  constexpr int64_t rounds = 100'000;
  std::vector<float> sink(static_cast<size_t>(threads_));
  const double seconds = fastest([&] {
    parallelFor(threads_, threads_, [&](int thread, int64_t, int64_t) {
      sink[static_cast<size_t>(thread)] = wide ? chainsOf16(rounds) : chainsOf8(rounds);
    });
  });
  return peak_ = 2.0 * (wide ? 16 : 8) * chains * static_cast<double>(rounds) * threads_ / seconds;
}

double Roofline::bandwidth(double bytesRead, double bytesWritten) {
  double &known = bandwidths_[{bytesRead, bytesWritten}];
  if (known > 0)
    return known;
  // Vectors of each thread.
  const auto threads = static_cast<size_t>(threads_);
  const auto vectors = [&](double bytes) { return std::max<size_t>(8, static_cast<size_t>(bytes) / 32 / threads); };
  const size_t reads = vectors(bytesRead), writes = vectors(bytesWritten);
  const std::vector<float> from(reads * threads * 8);
  std::vector<float> to(writes * threads * 8);
  const auto pass = [&] {
    parallelFor(threads_, threads_, [&](int, int64_t begin, int64_t end) {
      for (auto part = static_cast<size_t>(begin); part < static_cast<size_t>(end); ++part)
        traffic(from.data() + part * reads * 8, reads, to.data() + part * writes * 8, writes);
    });
  };
  pass();
  const double seconds = fastest(pass);
  return known = static_cast<double>((reads + writes) * threads * 32) / seconds;
}

double Roofline::leastSeconds(double flops, double bytesRead, double bytesWritten) {
  return std::max(flops / peakFlops(), (bytesRead + bytesWritten) / bandwidth(bytesRead, bytesWritten));
}

} // namespace bifocal::bench
