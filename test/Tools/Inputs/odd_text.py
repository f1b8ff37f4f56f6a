#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes train.{de,en} with lines that are blank, no UTF-8, or full of control characters, and no last line end."""

import sys
from pathlib import Path

lines = [b"", b"   \t ", b"\xff\xfe\x80 x", b"a\x01b\x7f \xc3\xa4 a", b"last"]
for language in ("de", "en"):
    (Path(sys.argv[1]) / f"train.{language}").write_bytes(b"\n".join(lines))
