#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks that no library of the runtime needs a symbol of LLVM, MLIR or Torch: check_symbols.py BUILD."""

import re
import subprocess
import sys
from pathlib import Path

FOREIGN = re.compile(r"\b(llvm|mlir|at|c10|torch|caffe2)::|\bLLVM[A-Z]|\bmlir[A-Z]")


def main() -> None:
    libraries = sorted((Path(sys.argv[1]) / "runtime").rglob("lib*.a"))
    names = {path.stem for path in libraries}
    expected = {f"libBifocal{part}" for part in ("Runtime", "Data", "Train", "Decode", "Score")}
    assert names >= expected, f"expects the libraries {expected}, but found {names}"
    for library in libraries:
        command = ["nm", "-C", "--undefined-only", str(library)]
        listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        needed = [line.split(" U ")[1] for line in listing.splitlines() if " U " in line]
        foreign = sorted({symbol for symbol in needed if FOREIGN.search(symbol)})
        if foreign:
            sys.exit(f"{library.name} needs {foreign[:5]}")


if __name__ == "__main__":
    main()
