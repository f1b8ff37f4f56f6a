// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "bench/AllocationCounter.h"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <link.h>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

bifocal::AllocationCount bifocal::allocationCount() { return {}; }
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

std::atomic<int64_t> ours{0}, library{0};
std::atomic<uintptr_t> libraryBegin{0}, libraryEnd{0};

/// Remembers where libdnnl's code is, so that a caller's address tells who it is.
int findLibrary(dl_phdr_info *info, size_t, void *) {
  if (!info->dlpi_name || !std::strstr(info->dlpi_name, "libdnnl"))
    return 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto &segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || !(segment.p_flags & PF_X))
      continue;
    libraryBegin = info->dlpi_addr + segment.p_vaddr;
    libraryEnd = libraryBegin + segment.p_memsz;
  }
  return 1;
}

inline void count(const void *caller) {
  const auto address = reinterpret_cast<uintptr_t>(caller);
  (address >= libraryBegin && address < libraryEnd ? library : ours).fetch_add(1, std::memory_order_relaxed);
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

bifocal::AllocationCount bifocal::allocationCount() {
  if (libraryBegin == 0)
    dl_iterate_phdr(findLibrary, nullptr);
  return {ours, library};
}
bool bifocal::allocationsAreCounted() { return true; }

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
