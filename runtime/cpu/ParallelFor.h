// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CPU_PARALLELFOR_H
#define BIFOCAL_RUNTIME_CPU_PARALLELFOR_H

#include <cstdint>
#include <type_traits>

namespace bifocal {

/// Calls `body(context, thread, begin, end)` on contiguous, disjoint ranges that cover [0, tiles), one per thread, and
/// waits for all. The parallel loops of the runtime are here, on libgomp. Not to be nested.
void parallelFor(int threads, int64_t tiles, void (*body)(void *context, int thread, int64_t begin, int64_t end),
                 void *context);

/// The same for a callable `body(thread, begin, end)`, without copying it to the heap.
template <typename Body> void parallelFor(int threads, int64_t tiles, Body &&body) {
  parallelFor(
      threads, tiles,
      [](void *context, int thread, int64_t begin, int64_t end) {
        (*static_cast<std::remove_reference_t<Body> *>(context))(thread, begin, end);
      },
      &body);
}

/// Calls `body(context, tile)` for every tile of [0, tiles) and waits for all; a thread that is done with one takes the
/// next. For tiles of unequal cost whose results do not depend on who computes them.
void parallelTiles(int threads, int64_t tiles, void (*body)(void *context, int64_t tile), void *context);

/// The same for a callable `body(tile)`.
template <typename Body> void parallelTiles(int threads, int64_t tiles, Body &&body) {
  parallelTiles(
      threads, tiles,
      [](void *context, int64_t tile) { (*static_cast<std::remove_reference_t<Body> *>(context))(tile); }, &body);
}

} // namespace bifocal
#endif
