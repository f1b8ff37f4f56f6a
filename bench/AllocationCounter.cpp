// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "bench/AllocationCounter.h"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <dlfcn.h>
#include <fmt/format.h>
#include <link.h>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

int64_t bifocal::allocationCount() { return 0; }
int64_t bifocal::driverAllocationCount() { return 0; }
void bifocal::setDriversApart() {}
std::string bifocal::lastAllocation() { return "nowhere"; }
bool bifocal::allocationsAreCounted() { return false; }

#else

extern "C" {
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);
}

namespace {

std::atomic<int64_t> allocations{0}, driverAllocations{0};
std::atomic<const void *> lastCaller{nullptr};

/// Where libraries of the driver lie, from `begin` on, up to `end`.
struct Region {
  uintptr_t begin, end;
};
constexpr size_t mostRegions = 64;
Region regions[mostRegions];
std::atomic<size_t> regionCount{0};

int addRegions(dl_phdr_info *library, size_t, void *) {
  for (const char *name : {"libcuda", "libcublas", "libnvidia"}) {
    if (!std::strstr(library->dlpi_name, name))
      continue;
    for (int i = 0; i < library->dlpi_phnum; ++i) {
      const auto &segment = library->dlpi_phdr[i];
      const size_t number = regionCount;
      if (segment.p_type != PT_LOAD || number == mostRegions)
        continue;
      regions[number].begin = library->dlpi_addr + segment.p_vaddr;
      regions[number].end = regions[number].begin + segment.p_memsz;
      regionCount = number + 1;
    }
    break;
  }
  return 0;
}

/// An allocation that was called from `caller`.
inline void count(const void *caller) {
  const auto address = reinterpret_cast<uintptr_t>(caller);
  for (size_t i = 0; i < regionCount; ++i)
    if (address >= regions[i].begin && address < regions[i].end) {
      driverAllocations.fetch_add(1, std::memory_order_relaxed);
      return;
    }
  allocations.fetch_add(1, std::memory_order_relaxed);
  lastCaller.store(caller, std::memory_order_relaxed);
}

void *allocate(size_t size) {
  void *memory = __libc_malloc(size ? size : 1);
  if (!memory)
    throw std::bad_alloc();
  return memory;
}

void *allocate(size_t size, std::align_val_t alignment) {
  void *memory = __libc_memalign(static_cast<size_t>(alignment), size);
  if (!memory)
    throw std::bad_alloc();
  return memory;
}

} // namespace

int64_t bifocal::allocationCount() { return allocations; }
int64_t bifocal::driverAllocationCount() { return driverAllocations; }
void bifocal::setDriversApart() { dl_iterate_phdr(addRegions, nullptr); }
bool bifocal::allocationsAreCounted() { return true; }

std::string bifocal::lastAllocation() {
  Dl_info info{};
  const void *caller = lastCaller;
  if (!caller || dladdr(caller, &info) == 0)
    return "nowhere that is known";
  const auto offset = reinterpret_cast<uintptr_t>(caller) - reinterpret_cast<uintptr_t>(info.dli_fbase);
  const char *slash = std::strrchr(info.dli_fname, '/');
  return fmt::format("{} + {:#x}{}{}", slash ? slash + 1 : info.dli_fname, offset, info.dli_sname ? " in " : "",
                     info.dli_sname ? info.dli_sname : "");
}

extern "C" {
void *malloc(size_t size) {
  count(__builtin_return_address(0));
  return __libc_malloc(size);
}
void *calloc(size_t number, size_t size) {
  count(__builtin_return_address(0));
  return __libc_calloc(number, size);
}
void *realloc(void *old, size_t size) {
  count(__builtin_return_address(0));
  return __libc_realloc(old, size);
}
void *memalign(size_t alignment, size_t size) {
  count(__builtin_return_address(0));
  return __libc_memalign(alignment, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
  count(__builtin_return_address(0));
  return __libc_memalign(alignment, size);
}
int posix_memalign(void **memory, size_t alignment, size_t size) {
  count(__builtin_return_address(0));
  *memory = __libc_memalign(alignment, size);
  return *memory ? 0 : ENOMEM;
}
void free(void *memory) { __libc_free(memory); }
}

void *operator new(size_t size) {
  count(__builtin_return_address(0));
  return allocate(size);
}
void *operator new[](size_t size) {
  count(__builtin_return_address(0));
  return allocate(size);
}
void *operator new(size_t size, std::align_val_t alignment) {
  count(__builtin_return_address(0));
  return allocate(size, alignment);
}
void operator delete(void *memory) noexcept { __libc_free(memory); }
void operator delete[](void *memory) noexcept { __libc_free(memory); }
void operator delete(void *memory, size_t) noexcept { __libc_free(memory); }
void operator delete[](void *memory, size_t) noexcept { __libc_free(memory); }
void operator delete(void *memory, std::align_val_t) noexcept { __libc_free(memory); }
void operator delete(void *memory, size_t, std::align_val_t) noexcept { __libc_free(memory); }

#endif
