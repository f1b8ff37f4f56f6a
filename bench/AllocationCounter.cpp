// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "bench/AllocationCounter.h"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

int64_t bifocal::allocationCount() { return 0; }
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

std::atomic<int64_t> allocations{0};

inline void count() { allocations.fetch_add(1, std::memory_order_relaxed); }

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
bool bifocal::allocationsAreCounted() { return true; }

extern "C" {
void *malloc(size_t size) {
  count();
  return __libc_malloc(size);
}
void *calloc(size_t number, size_t size) {
  count();
  return __libc_calloc(number, size);
}
void *realloc(void *old, size_t size) {
  count();
  return __libc_realloc(old, size);
}
void *memalign(size_t alignment, size_t size) {
  count();
  return __libc_memalign(alignment, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
  count();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void **memory, size_t alignment, size_t size) {
  count();
  *memory = __libc_memalign(alignment, size);
  return *memory ? 0 : ENOMEM;
}
void free(void *memory) { __libc_free(memory); }
}

void *operator new(size_t size) {
  count();
  return allocate(size);
}
void *operator new[](size_t size) {
  count();
  return allocate(size);
}
void *operator new(size_t size, std::align_val_t alignment) {
  count();
  return allocate(size, alignment);
}
void operator delete(void *memory) noexcept { __libc_free(memory); }
void operator delete[](void *memory) noexcept { __libc_free(memory); }
void operator delete(void *memory, size_t) noexcept { __libc_free(memory); }
void operator delete[](void *memory, size_t) noexcept { __libc_free(memory); }
void operator delete(void *memory, std::align_val_t) noexcept { __libc_free(memory); }
void operator delete(void *memory, size_t, std::align_val_t) noexcept { __libc_free(memory); }

#endif
