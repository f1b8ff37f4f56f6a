#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes UnicodeTables.inc: ranges of the general categories N, P and S, and the simple lower-case mappings."""

from __future__ import annotations

import sys
import unicodedata


def ranges(initial: str) -> list[tuple[int, int]]:
    """Maximal ranges of code points whose general category begins with `initial`."""
    found: list[tuple[int, int]] = []
    for point in range(sys.maxunicode + 1):
        if unicodedata.category(chr(point))[0] == initial:
            if found and found[-1][1] == point - 1:
                found[-1] = (found[-1][0], point)
            else:
                found.append((point, point))
    return found


def lower_runs() -> list[tuple[int, int, int, int]]:
    """(first, last, stride, distance): every stride-th code point of the range maps to itself plus the distance."""
    runs: list[list[int]] = []
    for point in range(sys.maxunicode + 1):
        low = chr(point).lower()
        if len(low) != 1 or ord(low) == point:
            continue
        distance = ord(low) - point
        if runs and runs[-1][3] == distance:
            last = runs[-1]
            step = point - last[1]
            if step <= 2 and (last[2] == step or last[0] == last[1]):
                last[1], last[2] = point, step
                continue
        runs.append([point, point, 1, distance])
    return [tuple(run) for run in runs]


def table(kind: str, name: str, rows: list[tuple[int, ...]]) -> None:
    print(f"constexpr {kind} {name}[] = {{")
    line = "   "
    for row in rows:
        cell = " {" + ", ".join(hex(v) if i < 2 else str(v) for i, v in enumerate(row)) + "},"
        if len(line) + len(cell) > 118:
            print(line)
            line = "   "
        line += cell
    print(line + "\n};")


def main() -> None:
    print("// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception")
    print(f"// Made by make_unicode_tables.py from Unicode {unicodedata.unidata_version}.")
    for name, initial in (("numbers", "N"), ("punctuation", "P"), ("symbols", "S")):
        table("Range", name, ranges(initial))
    table("LowerRun", "lowerRuns", lower_runs())


if __name__ == "__main__":
    main()
