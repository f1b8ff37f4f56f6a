// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_EMULATOR_SHADOW_H
#define BIFOCAL_CODEGEN_EMULATOR_SHADOW_H

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace bifocal::emulator {

/// Who touched a byte last. `time` is the clock of the thread's warp, which only grows, so that an access of an earlier
/// launch is told by its time alone.
struct Access {
  uint32_t time = 0;
  uint32_t block = 0;
  uint32_t site = 0;
  uint16_t thread = 0;
  bool atomic = false;
};

enum class Content : uint8_t { Uninitialised, InFlight, Defined };

/// What is known about some neighbouring bytes that have always been accessed together.
struct Cell {
  Access write;
  /// The last two readers; of different threads, and of different warps where there were any.
  Access reads[2];
  Content content = Content::Uninitialised;
};

/// Cells of a range of memory, made where they are first touched. A page begins with a cell for each four bytes and is
/// split into single bytes when an access needs it: most kernels never do.
class Shadow {
public:
  Shadow() = default;
  explicit Shadow(size_t bytes, Content initial) : pages((bytes + pageBytes - 1) / pageBytes), initial(initial) {}

  /// Calls `visit(cell)` for every cell of [offset, offset + bytes), which lies in the range.
  template <typename Visit> void visit(size_t offset, size_t bytes, Visit visit) {
    size_t end = offset + bytes;
    while (offset < end) {
      Page &page = touch(offset / pageBytes);
      size_t pageEnd = std::min(end, (offset / pageBytes + 1) * pageBytes);
      if (page.granule != 1 && (offset % page.granule || pageEnd % page.granule))
        split(page);
      for (; offset < pageEnd; offset += page.granule)
        visit(page.cells[offset % pageBytes / page.granule]);
    }
  }
  void setContent(size_t offset, size_t bytes, Content content) {
    visit(offset, bytes, [&](Cell &cell) { cell.content = content; });
  }
  /// As if the range were new.
  void reset() {
    for (Page &page : pages)
      if (page.cells)
        std::fill_n(page.cells.get(), pageBytes / page.granule, fresh());
  }

private:
  static constexpr size_t pageBytes = 4096;
  struct Page {
    std::unique_ptr<Cell[]> cells;
    uint32_t granule = 4;
  };

  Cell fresh() const {
    Cell cell;
    cell.content = initial;
    return cell;
  }
  Page &touch(size_t index) {
    Page &page = pages[index];
    if (!page.cells) {
      page.cells = std::make_unique<Cell[]>(pageBytes / page.granule);
      std::fill_n(page.cells.get(), pageBytes / page.granule, fresh());
    }
    return page;
  }
  static void split(Page &page) {
    auto bytes = std::make_unique<Cell[]>(pageBytes);
    for (size_t byte = 0; byte < pageBytes; ++byte)
      bytes[byte] = page.cells[byte / page.granule];
    page.cells = std::move(bytes);
    page.granule = 1;
  }

  std::vector<Page> pages;
  Content initial = Content::Uninitialised;
};

} // namespace bifocal::emulator
#endif
