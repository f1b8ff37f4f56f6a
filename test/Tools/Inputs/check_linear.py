#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Looks at arenas that `bifocal compile --report` printed: check_linear.py REPORT...

Twice as many steps of a source, a target and a memory take at most twice the memory: no formula multiplies one length
by another, such as `T * T` or `S * T`, in whatever form."""

import re
import sys
from pathlib import Path

LONG = 1 << 20


def ceildiv(a: int, b: int) -> int:
    return -(-a // b)


def roundup16(value: int) -> int:
    return ceildiv(value, 16) * 16


def arena(formula: str, steps: int) -> int:
    """Bytes where every length is `steps`; there is one row and one hypothesis."""
    symbols = set(re.findall(r"\b[A-Z][0-9]*\b", formula))
    values = {symbol: steps if symbol[0] in "STPM" else 1 for symbol in symbols}
    return eval(formula, {"ceildiv": ceildiv, "roundup16": roundup16}, values)


def main() -> None:
    for name in sys.argv[1:]:
        formulas = dict(re.findall(r"^(\w+)\n  peak +(.+?) bytes", Path(name).read_text(), re.MULTILINE))
        for entry, formula in formulas.items():
            more, less = arena(formula, 2 * LONG), arena(formula, LONG)
            assert more <= 2 * less, f"{name}: the arena of {entry} is more than linear: {formula}"
        # Else nothing was looked at.
        growing = {entry for entry, formula in formulas.items() if arena(formula, LONG) > arena(formula, 1)}
        assert {"train_step", "evaluate", "forward"} <= growing, f"{name}: expects arenas that grow, but got {formulas}"


if __name__ == "__main__":
    main()
