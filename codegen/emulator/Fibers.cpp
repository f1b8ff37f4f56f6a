// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/emulator/Fibers.h"

#include <sys/mman.h>
#include <unistd.h>

#if !defined(__x86_64__)
#error "fibers of the emulator are written for x86-64"
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define BIFOCAL_SWITCHES_TO(fake, bottom, bytes) __sanitizer_start_switch_fiber(fake, bottom, bytes)
#define BIFOCAL_SWITCHED(fake, bottom, bytes) __sanitizer_finish_switch_fiber(fake, bottom, bytes)
#else
#define BIFOCAL_SWITCHES_TO(fake, bottom, bytes) (void)0
#define BIFOCAL_SWITCHED(fake, bottom, bytes) (void)0
#endif

// Keeps the registers that a callee must keep (System V ABI) on the stack that is left, and takes them from the other.
extern "C" void bifocalSwitchStacks(void **save, void *load);
asm(R"(
  .text
  .globl bifocalSwitchStacks
  .hidden bifocalSwitchStacks
  .type bifocalSwitchStacks, @function
bifocalSwitchStacks:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size bifocalSwitchStacks, . - bifocalSwitchStacks
)");

namespace bifocal::emulator {

static size_t pageBytes() {
  static const size_t bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

Fibers::~Fibers() {
  if (memory)
    munmap(memory, mapped);
  delete[] saved;
}

bool Fibers::reserve(uint32_t count) {
  if (count <= capacity)
    return true;
  if (memory)
    munmap(memory, mapped);
  delete[] saved;
  memory = nullptr, saved = nullptr, capacity = 0;
  mapped = count * (stackBytes + pageBytes());
  void *area = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (area == MAP_FAILED)
    return false;
  memory = static_cast<char *>(area);
  capacity = count;
  saved = new void *[count]();
  for (uint32_t index = 0; index < count; ++index)
    mprotect(stack(index) - pageBytes(), pageBytes(), PROT_NONE);
  return true;
}

char *Fibers::stack(uint32_t index) const { return memory + index * (stackBytes + pageBytes()) + pageBytes(); }

void Fibers::start(uint32_t index, void (*entry)()) {
  // As a call would leave it: the stack is 8 bytes off a multiple of 16 when `entry` begins.
  void **top = reinterpret_cast<void **>(stack(index) + stackBytes) - 1;
  *--top = reinterpret_cast<void *>(entry);
  for (int registers = 0; registers < 6; ++registers)
    *--top = nullptr;
  saved[index] = top;
}

void Fibers::resume(uint32_t index) {
  BIFOCAL_SWITCHES_TO(&fakeStack, stack(index), stackBytes);
  bifocalSwitchStacks(&scheduler, saved[index]);
  BIFOCAL_SWITCHED(fakeStack, nullptr, nullptr);
}

void Fibers::started() { BIFOCAL_SWITCHED(nullptr, &schedulerStack, &schedulerBytes); }

void Fibers::suspend(uint32_t index) {
  BIFOCAL_SWITCHES_TO(nullptr, schedulerStack, schedulerBytes);
  bifocalSwitchStacks(&saved[index], scheduler);
  BIFOCAL_SWITCHED(nullptr, &schedulerStack, &schedulerBytes);
}

bool Fibers::owns(uint32_t index, const void *address, size_t bytes) const {
  const char *begin = stack(index), *first = static_cast<const char *>(address);
  return first >= begin && bytes <= stackBytes && first <= begin + stackBytes - bytes;
}

} // namespace bifocal::emulator
