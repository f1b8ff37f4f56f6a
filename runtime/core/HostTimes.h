// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_HOSTTIMES_H
#define BIFOCAL_RUNTIME_CORE_HOSTTIMES_H

#include <chrono>
#include <cstddef>
#include <vector>

namespace bifocal {

/// Numbered points in time of the host, for what takes effect as it is called.
class HostTimes {
public:
  void mark(size_t index) {
    if (times_.size() <= index)
      times_.resize(index + 1);
    times_[index] = std::chrono::steady_clock::now();
  }
  double secondsBetween(size_t first, size_t second) const {
    return std::chrono::duration<double>(times_[second] - times_[first]).count();
  }

private:
  std::vector<std::chrono::steady_clock::time_point> times_;
};

} // namespace bifocal
#endif
