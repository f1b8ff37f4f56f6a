// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/emulator/CheckedMemory.h"

#include <cstring>
#include <fmt/format.h>

namespace bifocal::emulator {

/// Bytes before and behind an allocation.
static constexpr size_t margin = 4096;
/// Eight of these are a NaN of every float type.
static constexpr int poisonByte = 0xff;

void *CheckedMemory::allocate(size_t bytes, std::string name) {
  size_t rounded = (bytes + 255) / 256 * 256;
  void *memory = std::aligned_alloc(256, rounded + 2 * margin);
  if (!memory)
    return nullptr;
  char *begin = static_cast<char *>(memory) + margin;
  std::memset(begin, poisonByte, rounded);
  allocations[begin].reset(memory);
  addRegion(std::move(name), begin, bytes, Space::Global, Content::Uninitialised);
  return begin;
}

void CheckedMemory::release(void *address) {
  removeRegion(address);
  allocations.erase(static_cast<char *>(address));
}

void CheckedMemory::define(void *address, size_t bytes) {
  if (Region *region = find(address, bytes); region && bytes)
    region->shadow.setContent(static_cast<char *>(address) - region->begin, bytes, Content::Defined);
}

void CheckedMemory::poison(void *address, size_t bytes) {
  Region *region = find(address, bytes);
  if (!region || !bytes)
    return;
  std::memset(address, poisonByte, bytes);
  region->shadow.setContent(static_cast<char *>(address) - region->begin, bytes, Content::Uninitialised);
}

Region &CheckedMemory::addRegion(std::string name, void *begin, size_t bytes, Space space, Content content) {
  last = nullptr;
  char *first = static_cast<char *>(begin);
  return regions.insert_or_assign(first, Region{std::move(name), first, bytes, space, Shadow(bytes, content)})
      .first->second;
}

void CheckedMemory::removeRegion(void *begin) {
  last = nullptr;
  regions.erase(static_cast<char *>(begin));
}

Region *CheckedMemory::find(const void *address, size_t bytes) {
  const char *first = static_cast<const char *>(address);
  if (last && last->contains(first, bytes))
    return last;
  auto next = regions.upper_bound(first);
  if (next == regions.begin())
    return nullptr;
  Region &region = std::prev(next)->second;
  if (!region.contains(first, bytes))
    return nullptr;
  last = &region;
  return last;
}

std::string CheckedMemory::describe(const void *address) const {
  const char *place = static_cast<const char *>(address);
  auto next = regions.upper_bound(place);
  const Region *before = next == regions.begin() ? nullptr : &std::prev(next)->second;
  const Region *behind = next == regions.end() ? nullptr : &next->second;
  if (before && place < before->begin + before->bytes)
    return fmt::format("{} + {} of its {} bytes", before->name, place - before->begin, before->bytes);
  size_t past = before ? place - (before->begin + before->bytes) : SIZE_MAX;
  size_t ahead = behind ? behind->begin - place : SIZE_MAX;
  constexpr size_t near = size_t{1} << 20;
  if (past <= ahead && past < near)
    return fmt::format("{} bytes behind the end of {} ({} bytes)", past, before->name, before->bytes);
  if (ahead < near)
    return fmt::format("{} bytes before {} ({} bytes)", ahead, behind->name, behind->bytes);
  return fmt::format("address {}, which belongs to nothing", address);
}

} // namespace bifocal::emulator
