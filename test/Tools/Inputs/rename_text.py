#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Copies texts to files that end in .txt, with Windows line ends: rename_text.py FROM TO."""

import sys
from pathlib import Path

for path in Path(sys.argv[1]).iterdir():
    (Path(sys.argv[2]) / f"{path.name}.txt").write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
